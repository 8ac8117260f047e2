using System.Text.Json;
using Azure;
using Azure.Storage.Blobs;
using FunctionsHost.Hosting;
using FunctionsHost.Protocol;
using FunctionsHost.Storage;

namespace FunctionsHost.Timers;

/// <summary>
/// Runs a timer function on its schedule, in one process at a time. Where the schedule is monitored, its state stays in
/// blob storage: an occurrence that passed while no process ran is made up for, once, as past due.
/// </summary>
internal sealed class TimerListener : ITriggerListener
{
    private readonly Function _function;
    private readonly TimerSchedule _schedule;
    private readonly bool _monitored;
    private readonly bool _runOnStartup;
    private readonly TimeSpan _longestWait;
    private readonly BlobClient _lock;
    private readonly BlobClient _status;
    private readonly EventRunner _runner;
    private readonly HostConsole _console;
    private readonly TimeProvider _time;

    /// <param name="longestWait">The clock can be set while a timer waits, so it looks again at least this often.</param>
    public TimerListener(
        Function function,
        string schedule,
        BlobContainerClient hosts,
        string hostId,
        TimeSpan longestWait,
        EventRunner runner,
        HostConsole console,
        TimeProvider time)
    {
        _function = function;
        _schedule = TimerSchedule.Parse(schedule, function.Name);
        _monitored = function.Flag("useMonitor") is not false && !_schedule.IsBelowAMinute(time.GetUtcNow().UtcDateTime);
        _runOnStartup = function.Flag("runOnStartup") is true;
        _lock = hosts.GetBlobClient($"locks/{hostId}/{function.Name}.Listener");
        _status = hosts.GetBlobClient($"timers/{hostId}/Host.Functions.{function.Name}/status");
        _longestWait = longestWait;
        _runner = runner;
        _console = console;
        _time = time;
    }

    private DateTime Now => _time.GetUtcNow().UtcDateTime;

    public async Task RunAsync(CancellationToken stopping, CancellationToken abandoning)
    {
        var started = false;
        while (!stopping.IsCancellationRequested)
        {
            await using var lease = await BlobLease.AcquireAsync(_lock, _console, _time, stopping);
            using var holding = CancellationTokenSource.CreateLinkedTokenSource(stopping, lease.Lost);
            try
            {
                await KeepScheduleAsync(_runOnStartup && !started, holding.Token, abandoning);
            }
            catch (OperationCanceledException) when (holding.IsCancellationRequested)
            {
                // Stopping, or another process has the schedule now.
            }
            catch (RequestFailedException e)
            {
                _console.Line($"The schedule of '{_function.Name}' cannot be read or kept: {e.Message.Split('\n')[0]} Trying again.");
                await Task.Delay(TimeSpan.FromSeconds(1), _time, stopping);
            }
            started = true;
        }
    }

    private async Task KeepScheduleAsync(bool runNow, CancellationToken holding, CancellationToken abandoning)
    {
        var status = _monitored ? await ReadAsync(holding) : null;
        if (_monitored && status is null)
            status = await WriteAsync(StatusFrom(default), holding);
        // A schedule that was changed since counts from now on: the old one is owed nothing.
        if (status is not null && status.Next != NextOf(status))
            status = await WriteAsync(StatusFrom(default), holding);

        var next = status?.Next ?? _schedule.Next(Now);
        var isPastDue = status is not null && next < Now;
        if (runNow || isPastDue)
            (status, next) = await RunOnceAsync(status, isPastDue, abandoning);
        while (true)
        {
            for (var wait = next - Now; wait > TimeSpan.Zero; wait = next - Now)
                await Task.Delay(wait < _longestWait ? wait : _longestWait, _time, holding);
            holding.ThrowIfCancellationRequested();
            (status, next) = await RunOnceAsync(status, isPastDue: false, abandoning);
        }
    }

    private DateTime NextOf(ScheduleStatus status) => _schedule.Next(status.Last == default ? status.LastUpdated : status.Last);

    private ScheduleStatus StatusFrom(DateTime last)
    {
        var now = Now;
        return new ScheduleStatus { Last = last, Next = _schedule.Next(now), LastUpdated = now };
    }

    private async Task<(ScheduleStatus? Status, DateTime Next)> RunOnceAsync(
        ScheduleStatus? status, bool isPastDue, CancellationToken abandoning)
    {
        for (var retry = 0; ; retry++)
        {
            var info = new TimerInfo(new TimerSettings(AdjustForDST: true), status, isPastDue);
            var data = new TriggerData
            {
                Input = new TypedData { Json = JsonSerializer.Serialize(info) },
                Retry = _function.Retry is { } policy
                    ? new RetryContext { RetryCount = retry, MaxRetryCount = policy.MaxRetryCount }
                    : null,
            };
            if (await _runner.RunAsync(_function, data, abandoning)
                || _function.Retry is not { } retries
                || (retries.MaxRetryCount >= 0 && retry >= retries.MaxRetryCount))
                break;
            await Task.Delay(retries.DelayBefore(retry + 1), _time, abandoning);
        }
        var now = Now;
        if (status is null)
            return (null, _schedule.Next(now));
        // Written after the run: a process that dies in between runs it again as past due rather than never.
        status = await WriteAsync(new ScheduleStatus { Last = now, Next = _schedule.Next(now), LastUpdated = now }, abandoning);
        return (status, status.Next);
    }

    private async Task<ScheduleStatus?> ReadAsync(CancellationToken cancellation)
    {
        try
        {
            var content = await _status.DownloadContentAsync(cancellation);
            return content.Value.Content.ToObjectFromJson<ScheduleStatus>();
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            return null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private async Task<ScheduleStatus> WriteAsync(ScheduleStatus status, CancellationToken cancellation)
    {
        await _status.UploadAsync(BinaryData.FromObjectAsJson(status), overwrite: true, cancellation);
        return status;
    }

    /// <summary>As it is stored: when the timer last ran, is due next, and when this was written.</summary>
    private sealed record ScheduleStatus
    {
        public DateTime Last { get; init; }

        public DateTime Next { get; init; }

        public DateTime LastUpdated { get; init; }
    }

    /// <summary>What the function's parameter is made from.</summary>
    private sealed record TimerInfo(TimerSettings Schedule, ScheduleStatus? ScheduleStatus, bool IsPastDue);

    private sealed record TimerSettings(bool AdjustForDST);
}
