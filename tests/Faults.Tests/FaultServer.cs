using Payments.Kit;

namespace Payments.Faults.Tests;

/// <summary>The servers that all runs of the class share, and the machine to itself while they run.</summary>
public sealed class FaultServer : IAsyncLifetime
{
    private MachineTurn? _turn;
    private FaultServers? _servers;

    public async ValueTask InitializeAsync()
    {
        await Tools.InstallAsync();
        _turn = await MachineTurn.WaitAsync("tests");
        _servers = await FaultServers.StartAsync(Environment.GetEnvironmentVariable("PAYMENTS_TEST_LOGS") is { Length: > 0 } logs ? Path.Combine(logs, "Faults.Tests") : null);
    }

    public async ValueTask DisposeAsync()
    {
        if (_servers is not null)
            await _servers.DisposeAsync();
        _turn?.Dispose();
    }

    internal async Task<FaultRunResult> RunAsync(FaultRunOptions options)
    {
        var result = await FaultRun.RunAsync(_servers!, options, TextWriter.Null);

        // A finding that nobody planned is there to be looked at.
        _servers!.Keep |= result.Violations.Count > 0 && options.Mutation is null;
        return result;
    }
}
