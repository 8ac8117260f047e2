namespace Payments.Faults.Tests;

/// <summary>The servers that all runs of the class share.</summary>
public sealed class FaultServer : IAsyncLifetime
{
    private FaultServers? _servers;

    public async ValueTask InitializeAsync() => _servers = await FaultServers.StartAsync();

    public async ValueTask DisposeAsync()
    {
        if (_servers is not null)
            await _servers.DisposeAsync();
    }

    internal async Task<FaultRunResult> RunAsync(FaultRunOptions options)
    {
        var result = await FaultRun.RunAsync(_servers!, options, TextWriter.Null);
        _servers!.Keep |= result.Violations.Count > 0 && options.Mutation is null;
        return result;
    }
}
