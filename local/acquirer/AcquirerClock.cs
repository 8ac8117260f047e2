namespace Payments.Acquirer;

/// <summary>The system's time moved by an offset, so that weeks of schedule pass in minutes. Durations still run in real time.</summary>
internal sealed class AcquirerClock : TimeProvider
{
    private long _offset;

    /// <summary>How far this clock is ahead of the system's.</summary>
    public TimeSpan Offset
    {
        get => new(Interlocked.Read(ref _offset));
        set => Interlocked.Exchange(ref _offset, value.Ticks);
    }

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + Offset;
}
