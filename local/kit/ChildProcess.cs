using System.Diagnostics;

namespace Payments.Kit;

/// <summary>A process that this one started. It never outlives this process, and its output goes to a file.</summary>
public sealed class ChildProcess : IAsyncDisposable
{
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(40);

    private readonly Process _process;
    private readonly StreamWriter _log;
    private bool _disposed;

    private ChildProcess(string name, Process process, StreamWriter log, string logFile)
    {
        Name = name;
        LogFile = logFile;
        _process = process;
        _log = log;
    }

    public string Name { get; }

    public string LogFile { get; }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>The exit code of a process that has ended.</summary>
    public int ExitCode => _process.ExitCode;

    /// <summary>The processor time that the process has used so far.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    /// <summary>The memory that the process holds, in bytes.</summary>
    public long WorkingSet
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    /// <summary>Starts a program.</summary>
    /// <param name="name">Names the log file, which is appended to.</param>
    /// <param name="command">What to start. Settings of the caller's environment (names with <c>__</c>, <c>OTEL_*</c>) do not reach it.</param>
    /// <param name="logs">The folder of the log file.</param>
    public static ChildProcess Start(string name, Command command, string logs)
    {
        Directory.CreateDirectory(logs);
        var start = new ProcessStartInfo(command.Program, command.Arguments)
        {
            WorkingDirectory = command.Folder ?? Repository.Root,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var variable in start.Environment.Keys.Where(IsSetting).ToArray())
            start.Environment.Remove(variable);
        foreach (var (variable, value) in command.Environment)
        {
            if (value.Length > 0)
                start.Environment[variable] = value;
            else
                start.Environment.Remove(variable);
        }

        var logFile = Path.Combine(logs, name + ".log");
        var log = new StreamWriter(new FileStream(logFile, FileMode.Append, FileAccess.Write, FileShare.ReadWrite)) { AutoFlush = true };
        var process = Process.Start(start)!;
        Leash.Hold(process.Id);
        process.StandardInput.Close();
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
        return new ChildProcess(name, process, log, logFile);
    }

    /// <summary>Runs a program to its end.</summary>
    /// <exception cref="KitException">The program failed; the message has the end of its output.</exception>
    public static async Task RunAsync(string name, Command command, string logs, CancellationToken ct = default)
    {
        await using var process = Start(name, command, logs);
        await process.WaitForExitAsync(ct);
        if (process.ExitCode != 0)
            throw new KitException($"{name} failed: {process.LastWords()}");
    }

    public Task WaitForExitAsync(CancellationToken ct = default) => _process.WaitForExitAsync(ct);

    /// <summary>Ends the process as a power failure would: it finishes nothing and flushes nothing.</summary>
    /// <param name="withChildren">Whether processes that it started are killed too.</param>
    public async Task KillAsync(bool withChildren = false)
    {
        if (!_process.HasExited)
            _process.Kill(withChildren);
        await _process.WaitForExitAsync();
        Leash.Release(_process.Id);
    }

    /// <summary>Sends a signal, such as <c>TERM</c>, and waits for the end. A process that does not end within 40 seconds is killed.</summary>
    public async Task StopAsync(string signal = "TERM")
    {
        if (!_process.HasExited)
        {
            using var kill = Process.Start("kill", [$"-{signal}", $"{_process.Id}"]);
            await kill.WaitForExitAsync();
        }

        using var patience = new CancellationTokenSource(StopPatience);
        try
        {
            await _process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            // KillAsync ends it below.
        }

        await KillAsync(withChildren: true);
    }

    /// <summary>The last lines of the log and the log's name, for a message about a process that failed.</summary>
    public string LastWords()
    {
        var lines = ReadLog().Where(line => line.Trim().Length > 0 && !line.TrimStart().StartsWith("at ", StringComparison.Ordinal)).TakeLast(3);
        var words = string.Join(' ', lines);
        return $"{(words.Length > 600 ? words[^600..] : words)} (log: {LogFile})";
    }

    /// <summary>What the process has printed so far.</summary>
    public IReadOnlyList<string> ReadLog()
    {
        using var stream = new FileStream(LogFile, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().Split('\n');
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        await KillAsync(withChildren: true);
        _process.Dispose();
        lock (_log)
            _log.Dispose();
    }

    private static bool IsSetting(string variable) =>
        variable.Contains("__", StringComparison.Ordinal)
        || variable.StartsWith("OTEL_", StringComparison.Ordinal)
        || variable.StartsWith("AzureWebJobs", StringComparison.Ordinal);
}
