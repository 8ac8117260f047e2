namespace Payments.Faults.Tests;

public sealed class SeedsTests
{
    [Theory]
    [InlineData(424_242)]
    [InlineData(int.MaxValue)]
    public void OfRound_LargeSeed_DealsEveryKindOfFault(int seed)
    {
        // Enough rounds for one whole deck.
        var dealt = Enumerable.Range(0, 12).SelectMany(round => FaultPlan.OfRound(seed, round, faults: 5)).Select(fault => fault.Kind).ToHashSet();

        Assert.True(dealt.Count > 15, string.Join(", ", dealt));
    }

    [Fact]
    public void Of_ProductBeyondTheType_WrapsAround()
    {
        // 424242 * 7919 is 3359572398, beyond the largest int: less 2^32 it is negative.
        Assert.Equal(-935_394_898 + 3, Seeds.Of(424_242, 7_919, 3));
    }
}
