using FunctionsHost.Protocol;
using FunctionsHost.Worker;
using Microsoft.Extensions.Configuration;

namespace FunctionsHost.Hosting;

/// <summary>Runs functions that no request started.</summary>
internal sealed class EventRunner(WorkerSupervisor workers, TimeSpan timeout, TimeSpan grace, HostConsole console, TimeProvider time)
{
    /// <summary>How long a function has, once its token tripped at its time limit, before its worker is ended.</summary>
    public static TimeSpan TimeoutGrace(IConfiguration settings) =>
        Settings.Time(settings, "FunctionsHost:TimeoutGrace", TimeSpan.FromSeconds(30));

    /// <summary>Runs a function. True where it ended well; a failure has been printed.</summary>
    public async Task<bool> RunAsync(Function function, TriggerData data, CancellationToken abandoning)
    {
        var request = data.ToRequest(function);
        request.InvocationId = Guid.CreateVersion7(time.GetUtcNow()).ToString();
        request.FunctionId = function.Id;
        while (true)
        {
            // Without a worker the event waits: what it came from is still held.
            var worker = workers.Current ?? await workers.ReadyAsync(abandoning);
            PendingInvocation pending;
            try
            {
                pending = worker.Begin(function, request);
            }
            catch (WorkerLostException)
            {
                // Nothing of the event has reached a function, so another worker can have it.
                continue;
            }
            return await WaitAsync(function, worker, pending, abandoning);
        }
    }

    private async Task<bool> WaitAsync(Function function, WorkerChannel worker, PendingInvocation pending, CancellationToken abandoning)
    {
        using var deadline = timeout > TimeSpan.Zero
            ? new InvocationDeadline(time, timeout, grace, worker, pending, workers, console)
            : null;
        using var abandoned = abandoning.Register(pending.Cancel);
        try
        {
            var result = (await pending.Task).Result;
            if (result is { Status: StatusResult.Types.Status.Success })
                return true;
            console.Failed(function.Name, pending.Id, result?.Exception);
        }
        catch (WorkerLostException e)
        {
            console.Line($"Function '{function.Name}' failed (invocation {pending.Id}): {e.Message}");
        }
        return false;
    }
}

/// <summary>
/// Trips the token of a function at host.json's <c>functionTimeout</c>. A function that goes on regardless is ended with
/// its worker, as nothing else can end it.
/// </summary>
internal sealed class InvocationDeadline : IDisposable
{
    private readonly TimeSpan _timeout;
    private readonly TimeSpan _grace;
    private readonly WorkerChannel _worker;
    private readonly PendingInvocation _pending;
    private readonly WorkerSupervisor _workers;
    private readonly HostConsole _console;
    private readonly ITimer _timer;
    private bool _tripped;

    public InvocationDeadline(
        TimeProvider time,
        TimeSpan timeout,
        TimeSpan grace,
        WorkerChannel worker,
        PendingInvocation pending,
        WorkerSupervisor workers,
        HostConsole console)
    {
        _timeout = timeout;
        _grace = grace;
        _worker = worker;
        _pending = pending;
        _workers = workers;
        _console = console;
        _timer = time.CreateTimer(static deadline => ((InvocationDeadline)deadline!).Expire(), this, timeout, grace);
    }

    public void Dispose() => _timer.Dispose();

    private void Expire()
    {
        if (_pending.Task.IsCompleted)
            return;
        if (!_tripped)
        {
            _tripped = true;
            _console.Line(
                $"Function '{_pending.Function.Name}' did not end within {_timeout} (invocation {_pending.Id}). Its token is cancelled.");
            _pending.Cancel();
            return;
        }
        _console.Line(
            $"Function '{_pending.Function.Name}' did not heed its token for {_grace} (invocation {_pending.Id}). Its worker is ended.");
        _workers.Restart(_worker);
    }
}
