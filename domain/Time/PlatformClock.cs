namespace Payments.Domain;

/// <summary>
/// The system's clock, cut to whole microseconds like the times in Postgres. So an object has the same times in the first answer, in the
/// database and in its events.
/// </summary>
public sealed class PlatformClock : TimeProvider
{
    public override DateTimeOffset GetUtcNow()
    {
        var now = System.GetUtcNow();
        return now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMicrosecond));
    }
}
