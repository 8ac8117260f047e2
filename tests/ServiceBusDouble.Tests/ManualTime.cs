namespace Payments.Local.ServiceBus.Tests;

/// <summary>A clock that moves only when a test says so, and runs the timers that fall due.</summary>
internal sealed class ManualTime : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly List<ManualTimer> _timers = [];

    // It starts at the real time, to the millisecond that the wire carries: the client measures locks with its own clock.
    private DateTimeOffset _now = DateTimeOffset.FromUnixTimeMilliseconds(System.GetUtcNow().ToUnixTimeMilliseconds());

    public override DateTimeOffset GetUtcNow()
    {
        lock (_gate)
            return _now;
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, () => callback(state));
        lock (_gate)
            _timers.Add(timer);
        timer.Change(dueTime, period);
        return timer;
    }

    public void Advance(TimeSpan by)
    {
        var target = GetUtcNow() + by;
        while (NextDue(target) is { } timer)
            timer.Callback();
    }

    /// <summary>The next timer up to the target, with the clock set to its time; null when the clock is at the target.</summary>
    private ManualTimer? NextDue(DateTimeOffset target)
    {
        lock (_gate)
        {
            var timer = _timers.Where(t => t.Due <= target).MinBy(t => t.Due);
            if (timer is null)
            {
                _now = target;
                return null;
            }
            _now = timer.Due > _now ? timer.Due : _now;
            timer.Due = DateTimeOffset.MaxValue;
            return timer;
        }
    }

    private sealed class ManualTimer(ManualTime time, Action callback) : ITimer
    {
        public Action Callback { get; } = callback;

        public DateTimeOffset Due { get; set; } = DateTimeOffset.MaxValue;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._gate)
                Due = dueTime == Timeout.InfiniteTimeSpan ? DateTimeOffset.MaxValue : time._now + dueTime;
            return true;
        }

        public void Dispose()
        {
            lock (time._gate)
                time._timers.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
