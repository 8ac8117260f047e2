using Payments.Domain.Merchants;

namespace Payments.Domain.Tests.Merchants;

public sealed class RequestBudgetTests
{
    private readonly Clock _clock = new();

    [Fact]
    public void Take_MoreThanABurst_SaysHowLongToWaitAndLetsPassAfterIt()
    {
        var budget = new RequestBudget(perSecond: 10, burst: 5, _clock);

        Assert.All(Enumerable.Range(0, 5), _ => Assert.Null(budget.Take("a")));
        Assert.Equal(TimeSpan.FromMilliseconds(100), budget.Take("a"));
        Assert.Equal(TimeSpan.FromMilliseconds(100), budget.Look("a"));
        _clock.Advance(TimeSpan.FromMilliseconds(100));
        Assert.Null(budget.Take("a"));
        Assert.NotNull(budget.Take("a"));
    }

    [Fact]
    public void Take_OfOneCaller_LeavesOthersAlone()
    {
        var budget = new RequestBudget(perSecond: 1, burst: 1, _clock);

        Assert.Null(budget.Take("a"));
        Assert.NotNull(budget.Take("a"));
        Assert.Null(budget.Take("b"));
        Assert.Null(budget.Look("c"));
    }

    [Fact]
    public void Take_AfterALongRest_HasOneBurstAndNoMore()
    {
        var budget = new RequestBudget(perSecond: 100, burst: 3, _clock);
        budget.Take("a");
        _clock.Advance(TimeSpan.FromHours(1));

        Assert.All(Enumerable.Range(0, 3), _ => Assert.Null(budget.Take("a")));
        Assert.NotNull(budget.Take("a"));
    }

    [Fact]
    public void Take_WithoutALimit_AlwaysPasses()
    {
        var budget = new RequestBudget(perSecond: 0, burst: 0, _clock);

        Assert.All(Enumerable.Range(0, 1000), _ => Assert.Null(budget.Take("a")));
    }

    private sealed class Clock : TimeProvider
    {
        private long _ticks = 1;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _ticks;

        public void Advance(TimeSpan by) => _ticks += by.Ticks;
    }
}
