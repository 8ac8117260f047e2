using System.Diagnostics;

namespace Payments.Faults;

/// <summary>A process of the run. What it prints goes to a file; its number is kept where the script that started the run finds it, should the run itself be killed.</summary>
internal sealed class Child : IAsyncDisposable
{
    private static readonly Lock Pids = new();

    private readonly Process _process;
    private readonly StreamWriter _log;

    private Child(string name, Process process, StreamWriter log)
    {
        Name = name;
        _process = process;
        _log = log;
    }

    public string Name { get; }

    public bool HasExited => _process.HasExited;

    public static Child Start(WorldPaths paths, string name, string program, IEnumerable<string> arguments, string? folder = null, IEnumerable<KeyValuePair<string, string>>? environment = null)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder ?? paths.Data, RedirectStandardOutput = true, RedirectStandardError = true };

        // What the surroundings set for apps of theirs is not for this one.
        foreach (var variable in start.Environment.Keys.Where(key => key.Contains("__", StringComparison.Ordinal) || key.StartsWith("OTEL_", StringComparison.Ordinal)).ToArray())
            start.Environment.Remove(variable);

        // It does not live long enough for code to be worth compiling a second time.
        start.Environment["DOTNET_TC_CallCounting"] = "0";

        // Nor does it spin while it waits, or collect garbage beside its work: there are many of them and few processors.
        start.Environment["DOTNET_ThreadPool_UnfairSemaphoreSpinLimit"] = "0";
        start.Environment["DOTNET_gcConcurrent"] = "0";
        foreach (var (variable, value) in environment ?? [])
            start.Environment[variable] = value;
        var log = new StreamWriter(Path.Combine(paths.Logs, name + ".log"), append: true) { AutoFlush = true };
        var process = Process.Start(start)!;
        lock (Pids)
            File.AppendAllText(Path.Combine(paths.Data, "pids"), $"{process.Id}\n");
        DataReceivedEventHandler write = (_, line) =>
        {
            lock (log)
            {
                if (line.Data is not null && log.BaseStream is { CanWrite: true })
                    log.WriteLine(line.Data);
            }
        };
        process.OutputDataReceived += write;
        process.ErrorDataReceived += write;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return new Child(name, process, log);
    }

    /// <summary>Ends it as a power failure would: nothing is finished, nothing is flushed.</summary>
    public async Task KillAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Sends a signal, such as <c>INT</c>, and waits for the end.</summary>
    public async Task StopAsync(string signal)
    {
        if (!_process.HasExited)
        {
            using var kill = Process.Start("kill", [$"-{signal}", $"{_process.Id}"]);
            await kill.WaitForExitAsync();
        }

        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        try
        {
            await _process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            await KillAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _process.Dispose();
        lock (_log)
            _log.Dispose();
    }
}
