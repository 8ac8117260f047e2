namespace Payments.Faults.Tests;

/// <summary>The servers that all runs of the class share.</summary>
public sealed class FaultServer : IAsyncLifetime
{
    private WorldPaths? _paths;
    private PostgresServer? _postgres;

    public async ValueTask InitializeAsync()
    {
        _paths = WorldPaths.FromEnvironment();
        _postgres = await PostgresServer.StartAsync(_paths);
    }

    public async ValueTask DisposeAsync()
    {
        if (_postgres is not null)
            await _postgres.DisposeAsync();
    }

    internal Task<FaultRunResult> RunAsync(FaultRunOptions options) => FaultRun.RunAsync(_paths!, _postgres!, options, TextWriter.Null);
}
