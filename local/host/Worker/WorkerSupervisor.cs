using System.Globalization;
using System.Net.Sockets;
using FunctionsHost.Hosting;
using FunctionsHost.Protocol;

namespace FunctionsHost.Worker;

/// <summary>
/// Keeps a worker running: starts one, prepares it, and starts another when it ends by itself. After too many ends in
/// half an hour the host stops, as Microsoft's host does.
/// </summary>
internal sealed class WorkerSupervisor : IDisposable
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(100);

    private readonly HostSettings _settings;
    private readonly HostConsole _console;
    private readonly TimeProvider _time;
    private readonly Func<WorkerProcess> _start;
    private readonly RpcLog.Types.Level _logLevel;
    private readonly int _restarts;
    private readonly TimeSpan _restartWindow;
    private readonly Queue<long> _ends = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private WorkerProcess? _process;
    private TaskCompletionSource<WorkerChannel> _connected = NewSource();
    private TaskCompletionSource<WorkerChannel> _ready = NewSource();
    private volatile WorkerChannel? _channel;
    private Task _watching = Task.CompletedTask;

    public WorkerSupervisor(HostSettings settings, HostConsole console, TimeProvider time, WorkerProcess first, Func<WorkerProcess> start)
    {
        _settings = settings;
        _console = console;
        _time = time;
        _process = first;
        _start = start;
        var level = settings.Values["FunctionsHost:LogLevel"] ?? nameof(RpcLog.Types.Level.Warning);
        _logLevel = Enum.TryParse<RpcLog.Types.Level>(level, ignoreCase: true, out var known)
            ? known
            : throw new InvalidOperationException($"FunctionsHost:LogLevel is '{level}', which is not a log level.");
        _restarts = Settings.Number(settings.Values, "FunctionsHost:WorkerRestarts", 3);
        _restartWindow = Settings.Time(settings.Values, "FunctionsHost:WorkerRestartWindow", TimeSpan.FromMinutes(30));
    }

    /// <summary>Called when no worker can be had any more.</summary>
    public event Action? Failed;

    /// <summary>The worker that takes invocations now; null while there is none.</summary>
    public WorkerChannel? Current => _channel;

    public int? ProcessId => _process?.Id;

    /// <summary>Prepares the first worker and gives the app's functions.</summary>
    /// <exception cref="InvalidOperationException">The worker ended, or refused.</exception>
    public async Task<IReadOnlyList<RpcFunctionMetadata>> StartAsync(CancellationToken cancellation)
    {
        var functions = await PrepareAsync(_process!, cancellation);
        _watching = WatchAsync(_process!);
        return functions;
    }

    /// <summary>Waits for a worker that takes invocations.</summary>
    public Task<WorkerChannel> ReadyAsync(CancellationToken cancellation)
    {
        lock (_lock)
            return _ready.Task.WaitAsync(cancellation);
    }

    /// <summary>A worker opened its stream. Null where this host did not start it.</summary>
    public WorkerChannel? Connect(string workerId)
    {
        lock (_lock)
        {
            if (_process?.WorkerId != workerId)
                return null;
            var channel = new WorkerChannel(_console, _logLevel, Lose);
            _connected.TrySetResult(channel);
            return channel;
        }
    }

    /// <summary>Ends a worker whose function does not end; another one takes its place.</summary>
    public void Restart(WorkerChannel channel)
    {
        if (ReferenceEquals(_channel, channel))
            _process?.Kill();
    }

    /// <summary>Ends the worker: it is asked first, and killed when it does not end in time.</summary>
    public async Task StopAsync(TimeSpan grace)
    {
        await _stopping.CancelAsync();
        if (_process is not { } process)
            return;
        if (_channel is { } channel)
        {
            channel.Terminate(grace);
            await ((Task)process.Ended).WaitAsync(grace, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        process.Kill();
        await process.Ended;
        await _watching;
    }

    public void Dispose()
    {
        _stopping.Cancel();
        _process?.Kill();
        _process?.Dispose();
        _stopping.Dispose();
    }

    /// <summary>The worker opens its stream before its web server listens.</summary>
    private async Task UntilListeningAsync(Uri address, WorkerProcess process, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(address.Host, address.Port, cancellation);
                return;
            }
            catch (SocketException)
            {
                if (process.Ended.IsCompleted)
                    throw new WorkerLostException($"The worker ended with code {await process.Ended}.");
                await Task.Delay(TimeSpan.FromMilliseconds(10), _time, cancellation);
            }
        }
    }

    private static async Task LoseAtEndAsync(WorkerChannel channel, WorkerProcess process) =>
        channel.Lose($"The worker ended with code {await process.Ended}.");

    /// <summary>
    /// Takes no more invocations for a worker that has gone. One that only lost its connection is ended, as it is of no use.
    /// </summary>
    private void Lose(WorkerChannel channel)
    {
        lock (_lock)
        {
            if (!ReferenceEquals(_channel, channel))
                return;
            _channel = null;
            if (_ready.Task.IsCompleted)
                _ready = NewSource();
            if (!_stopping.IsCancellationRequested)
                _process?.Kill();
        }
    }

    private static TaskCompletionSource<WorkerChannel> NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task<IReadOnlyList<RpcFunctionMetadata>> PrepareAsync(WorkerProcess process, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation, _stopping.Token);
        patience.CancelAfter(StartTimeout);
        _console.Line(string.Create(CultureInfo.InvariantCulture, $"Worker process: {process.Id}"));
        try
        {
            var connected = _connected.Task;
            if (await Task.WhenAny(connected, process.Ended).WaitAsync(patience.Token) != connected)
                throw new InvalidOperationException($"The worker ended with code {await process.Ended} before it connected to the host.");
            var channel = await connected;
            _ = LoseAtEndAsync(channel, process);
            var functions = await channel.InitialiseAsync(_settings.Folder, patience.Token);
            if (channel.HttpAddress is { } address)
                await UntilListeningAsync(new Uri(address), process, patience.Token);
            lock (_lock)
            {
                _channel = channel;
                _ready.TrySetResult(channel);
            }
            return functions;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested && !_stopping.IsCancellationRequested)
        {
            throw new InvalidOperationException("The worker did not connect to the host within two minutes.");
        }
        catch (WorkerLostException e)
        {
            throw new InvalidOperationException(e.Message, e);
        }
    }

    private async Task WatchAsync(WorkerProcess process)
    {
        while (true)
        {
            var code = await process.Ended;
            lock (_lock)
                _connected = NewSource();
            if (_stopping.IsCancellationRequested)
                return;
            var now = _time.GetTimestamp();
            while (_ends.TryPeek(out var first) && _time.GetElapsedTime(first, now) > _restartWindow)
                _ends.Dequeue();
            _ends.Enqueue(now);
            if (_ends.Count > _restarts)
            {
                _console.Line($"The worker ended with code {code}, {_ends.Count} times in {_restartWindow}. The host stops.");
                Failed?.Invoke();
                return;
            }
            var delay = FirstDelay * Math.Pow(4, Math.Min(_ends.Count, 5) - 1);
            _console.Line(
                string.Create(
                    CultureInfo.InvariantCulture, $"The worker ended with code {code}. Starting another in {delay.TotalSeconds} s."));
            await Task.Delay(delay, _time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_stopping.IsCancellationRequested)
                return;
            process.Dispose();
            lock (_lock)
                _process = process = _start();
            try
            {
                await PrepareAsync(process, CancellationToken.None);
            }
            catch (Exception e) when (e is InvalidOperationException or OperationCanceledException)
            {
                if (!_stopping.IsCancellationRequested)
                    _console.Line($"The worker did not start: {e.Message}");
                process.Kill();
            }
        }
    }
}
