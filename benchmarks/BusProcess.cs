using System.Diagnostics;
using System.Text.Json;

namespace Payments.Benchmarks;

/// <summary>The Service Bus double as a process of its own, so that its processor time can be told from ours.</summary>
internal sealed class BusProcess : IDisposable
{
    private readonly Process _process;
    private readonly string _entities;

    private BusProcess(Process process, string entities, string connectionString)
    {
        _process = process;
        _entities = entities;
        ConnectionString = connectionString;
    }

    public string ConnectionString { get; }

    public static async Task<BusProcess> StartAsync(string queue)
    {
        var entities = Path.GetTempFileName();
        await File.WriteAllTextAsync(entities, $$"""{ "queues": { {{JsonSerializer.Serialize(queue)}}: { "lockDuration": "00:01:00", "duplicateWindow": "01:00:00" } } }""");
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true };
        foreach (var argument in (string[])[Path.Combine(AppContext.BaseDirectory, "Payments.ServiceBusDouble.dll"), "--port", "0", "--queues", entities])
            start.ArgumentList.Add(argument);
        var process = Process.Start(start) ?? throw new InvalidOperationException("The Service Bus double did not start.");
        var ready = await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("The Service Bus double ended at once.");
        return new BusProcess(process, entities, ready[ready.IndexOf("Endpoint=", StringComparison.Ordinal)..]);
    }

    public TimeSpan ProcessorTime()
    {
        _process.Refresh();
        return _process.TotalProcessorTime;
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        File.Delete(_entities);
    }
}
