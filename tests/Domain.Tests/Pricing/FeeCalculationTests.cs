using FsCheck;
using FsCheck.Fluent;
using Payments.Domain.Pricing;

namespace Payments.Domain.Tests.Pricing;

/// <summary>What a capture costs. The cases named Example_ are the ones that docs/pricing.md works out.</summary>
public sealed class FeeCalculationTests
{
    private static readonly FeePlan Tiered = new([new("EUR", 290, 30, Tiers: [new(1_000_000, 240, 25), new(5_000_000, 190, 20)])]);

    private static readonly Gen<Currency> Currencies = Gen.Elements(Currency.Jpy, Currency.Eur, Currency.Kwd);

    private static readonly Gen<long> Amounts = Gen.OneOf(
        Gen.Choose(1, 300).Select(i => (long)i), Gen.Choose(1, int.MaxValue).Select(i => (long)i), Gen.Elements(1L, 33, 49, 50, 51, 999_999_999_999));

    private static readonly Gen<FeePlan> Plans =
        from basisPoints in Gen.Choose(0, 10_000)
        from fixedPart in Gen.Choose(0, 500)
        from minimum in Gen.Elements(0, 0, 40, 700)
        from above in Gen.Elements<int?>(null, 0, 300)
        from exceeds in Gen.Elements(true, false)
        from thresholds in Gen.Choose(1, 100_000).ListOf(3)
        from tierPoints in Gen.Choose(0, 10_000).ListOf(3)
        let tiers = thresholds.Distinct().Order().Zip(tierPoints, (threshold, points) => new FeeTier(threshold, points, points % 70)).ToArray()
        select new FeePlan([.. new[] { "JPY", "EUR", "KWD" }.Select(code => new FeeRule(code, basisPoints, fixedPart, minimum, minimum + above, Tiers: tiers))]) { MayExceedAmount = exceeds };

    private static readonly Arbitrary<(FeePlan Plan, Money Amount, long Volume)> Captures =
        (from plan in Plans
         from currency in Currencies
         from amount in Amounts
         from volume in Gen.OneOf(Gen.Choose(0, 200_000).Select(i => (long)i), Gen.Constant(FeePlan.MaximumVolume))
         select (plan, new Money(amount, currency), volume)).ToArbitrary();

    [Theory]
    [InlineData("EUR", 10_000, 320)]
    [InlineData("EUR", 1_017, 59)]
    [InlineData("JPY", 5_000, 175)]
    [InlineData("KWD", 10_000, 390)]
    public void Of_TheStandardPlan_IsShareAndFixedPart(string currency, long amount, long fee) =>
        Assert.Equal(fee, Fee(FeePlan.Standard, new Money(amount, Currency.Of(currency))).Fee);

    [Fact]
    public void Example_AShareAndAFixedPart()
    {
        var detail = Fee(FeePlan.Standard, Eur(1_050));

        // 2.9 % of 10.50 is 0.3045, rounded to 0.30; and 0.30.
        Assert.Equal(60, detail.Fee);
        Assert.Equal([new FeePart(FeePartType.Percentage, 30, 290, 1_050), new FeePart(FeePartType.Fixed, 30)], detail.Parts);
    }

    [Fact]
    public void Example_HalfAUnit_IsRoundedUp() => Assert.Equal(3, Fee(new FeePlan([new("EUR", 500, 0)]), Eur(50)).Fee);

    [Fact]
    public void Example_ACaptureThatCrossesAThreshold_IsPricedInParts()
    {
        // 9,950.00 were captured this month; 100.00 more: 50.00 at 2.9 %, 50.00 at 2.4 %, and the fixed part of the tier in which it begins.
        var detail = Fee(Tiered, Eur(10_000), volume: 995_000);

        Assert.Equal(145 + 120 + 30, detail.Fee);
        Assert.Equal(
            [new FeePart(FeePartType.Percentage, 145, 290, 5_000), new FeePart(FeePartType.Percentage, 120, 240, 5_000), new FeePart(FeePartType.Fixed, 30)], detail.Parts);
        Assert.Equal(995_000, detail.VolumeBefore);
    }

    [Theory]
    [InlineData(0, 290 + 30)]
    [InlineData(999_999, 240 + 30)]
    [InlineData(1_000_000, 240 + 25)]
    [InlineData(5_000_000, 190 + 20)]
    [InlineData(1_000_000_000, 190 + 20)]
    public void Example_VolumeOfTheMonth_ChoosesTheTier(long volume, long fee) => Assert.Equal(fee, Fee(Tiered, Eur(10_000), volume).Fee);

    [Fact]
    public void Example_MinimumAndMaximum()
    {
        var plan = new FeePlan([new("EUR", 100, 0, Minimum: 50, Maximum: 1_500)]);

        Assert.Equal([new FeePart(FeePartType.Percentage, 10, 100, 1_000), new FeePart(FeePartType.Minimum, 40)], Fee(plan, Eur(1_000)).Parts);
        Assert.Equal([new FeePart(FeePartType.Percentage, 2_000, 100, 200_000), new FeePart(FeePartType.Maximum, -500)], Fee(plan, Eur(200_000)).Parts);
    }

    [Fact]
    public void Example_AFeeEndsAtTheAmount_UnlessThePlanSaysOtherwise()
    {
        var limited = Fee(FeePlan.Standard, Eur(20));
        Assert.Equal(20, limited.Fee);
        Assert.Equal(
            [new FeePart(FeePartType.Percentage, 1, 290, 20), new FeePart(FeePartType.Fixed, 30), new FeePart(FeePartType.AmountLimit, -11)], limited.Parts);
        Assert.Equal(31, Fee(FeePlan.Standard with { MayExceedAmount = true }, Eur(20)).Fee);
    }

    [Theory]
    [InlineData("JPY", 1_050, 30 + 30)]
    [InlineData("EUR", 1_050, 30 + 30)]
    [InlineData("KWD", 1_050, 30 + 100)]
    public void Example_AnyExponent_CountsMinorUnits(string currency, long amount, long fee) =>
        Assert.Equal(fee, Fee(FeePlan.Standard, new Money(amount, Currency.Of(currency))).Fee);

    [Fact]
    public void Of_AnyPlanAndCapture_IsTheSumOfItsPartsWithinItsBounds() =>
        Check.QuickThrowOnFailure(Prop.ForAll(Captures, capture =>
        {
            var (plan, amount, volume) = capture;
            var rule = plan.RuleFor(new FeeSubject(amount))!;

            var detail = Fee(plan, amount, volume);

            Assert.Equal(detail.Fee, detail.Parts.Sum(part => part.Amount));
            Assert.True(detail.Fee >= 0);
            Assert.True(plan.MayExceedAmount || detail.Fee <= amount.MinorUnits);
            Assert.True(rule.Maximum is null || detail.Fee <= rule.Maximum);
            Assert.True(detail.Fee >= rule.Minimum || detail.Fee == amount.MinorUnits);
            Assert.All(detail.Parts, part => Assert.Equal(part.Type is FeePartType.Maximum or FeePartType.AmountLimit, part.Amount < 0));
            Assert.True(detail.Parts.Sum(part => part.Of ?? 0) <= amount.MinorUnits);
        }));

    /// <summary>An oracle that knows nothing of parts: every single unit of the volume is priced by its tier, and the sum is rounded once.</summary>
    [Fact]
    public void Of_AnySmallCapture_SharesAreThatOfEachUnitRoundedOnce() =>
        Check.QuickThrowOnFailure(Prop.ForAll(
            (from plan in Plans from amount in Gen.Choose(1, 400) from volume in Gen.Choose(0, 101_000) select (plan, amount, volume)).ToArbitrary(),
            capture =>
            {
                var rule = capture.plan.RuleFor(new FeeSubject(Eur(capture.amount)))!;
                var exact = Enumerable.Range(capture.volume, capture.amount).Sum(unit => (long)(rule.Tiers!.LastOrDefault(tier => tier.From <= unit)?.BasisPoints ?? rule.BasisPoints));

                var detail = Fee(capture.plan, Eur(capture.amount), capture.volume);

                Assert.Equal((exact + 5_000) / 10_000, detail.Parts.Where(part => part.Type is FeePartType.Percentage).Sum(part => part.Amount));
            }));

    [Fact]
    public void Of_AMonthInAnyOrder_SharesDifferByNoMoreThanTheRounding() =>
        Check.QuickThrowOnFailure(Prop.ForAll(
            (from amounts in Gen.Choose(1, 50_000).NonEmptyListOf() from shuffled in Gen.Shuffle(amounts.ToArray()) select (amounts, shuffled)).ToArbitrary(),
            month =>
            {
                var plan = new FeePlan([new("EUR", 290, 0, Tiers: [new(20_000, 240, 0), new(90_000, 100, 0)])]);
                long Total(IEnumerable<int> amounts)
                {
                    var (volume, fees) = (0L, 0L);
                    foreach (var amount in amounts)
                    {
                        fees += Fee(plan, Eur(amount), volume).Fee;
                        volume += amount;
                    }

                    return fees;
                }

                // Half a unit at most for each capture, in either order.
                Assert.True(Math.Abs(Total(month.amounts) - Total(month.shuffled)) <= month.amounts.Count);
            }));

    [Theory]
    [InlineData(RefundFeePolicy.Kept, 10_000, 0)]
    [InlineData(RefundFeePolicy.Returned, 10_000, 320)]
    [InlineData(RefundFeePolicy.Returned, 5_000, 160)]
    [InlineData(RefundFeePolicy.Returned, 1, 0)]
    [InlineData(RefundFeePolicy.Returned, 9_999, 319)]
    public void Example_ARefund_ReturnsTheFeeAsThePlanSays(RefundFeePolicy policy, long refunded, long returned) =>
        Assert.Equal(Eur(returned), FeeCalculation.ReturnedFee(policy, Eur(320), Eur(0), Eur(10_000), Eur(refunded)));

    [Fact]
    public void ReturnedFee_AnySplitIntoRefunds_GivesBackAllOfItInTheEndAndNeverMore() =>
        Check.QuickThrowOnFailure(Prop.ForAll(
            (from fee in Gen.Choose(0, 5_000) from refunds in Gen.Choose(1, 3_000).NonEmptyListOf() select (fee, refunds)).ToArbitrary(),
            history =>
            {
                var captured = Eur(history.refunds.Sum());
                var (returned, refunded) = (Eur(0), Eur(0));
                foreach (var refund in history.refunds)
                {
                    refunded += Eur(refund);
                    var back = FeeCalculation.ReturnedFee(RefundFeePolicy.Returned, Eur(history.fee), returned, captured, refunded);
                    Assert.False(back.IsNegative);
                    returned += back;
                    Assert.True(returned <= Eur(history.fee));
                }

                Assert.Equal(Eur(history.fee), returned);
            }));

    private static FeeDetail Fee(FeePlan plan, Money amount, long volume = 0) => FeeCalculation.Of(plan, 1, new FeeSubject(amount), volume);

    private static Money Eur(long amount) => new(amount, Currency.Eur);
}
