namespace Payments.Postgres.Tests.Messaging;

/// <summary>A clock that stands where a test puts it; delays run on the real one.</summary>
internal sealed class TestTime(DateTimeOffset now) : TimeProvider
{
    private long _ticks = now.UtcTicks;

    public override DateTimeOffset GetUtcNow() => new(Interlocked.Read(ref _ticks), TimeSpan.Zero);

    public void Advance(TimeSpan by) => Interlocked.Add(ref _ticks, by.Ticks);
}
