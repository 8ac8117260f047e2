namespace Payments.Domain;

/// <summary>
/// The system's clock, cut to whole microseconds: what Postgres keeps. So an object reads the same from the answer that made it, from the
/// database, and from its events.
/// </summary>
public sealed class PlatformClock : TimeProvider
{
    public override DateTimeOffset GetUtcNow()
    {
        var now = System.GetUtcNow();
        return now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMicrosecond));
    }
}
