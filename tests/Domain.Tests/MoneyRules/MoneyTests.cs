using FsCheck;
using FsCheck.Fluent;

namespace Payments.Domain.Tests.MoneyRules;

public sealed class MoneyTests
{
    private static readonly Arbitrary<long> Amounts =
        Gen.OneOf(ArbMap.Default.GeneratorFor<long>(), Gen.Choose(-1000, 1000).Select(i => (long)i), Gen.Elements(0, 1, -1, long.MaxValue, long.MinValue)).ToArbitrary();

    private static readonly Arbitrary<long[]> Weights =
        Gen.OneOf(Gen.Choose(0, 100).Select(i => (long)i), Gen.Elements(0, 1, long.MaxValue)).NonEmptyListOf()
            .Where(list => list.Any(weight => weight > 0)).Select(list => list.ToArray()).ToArbitrary();

    [Fact]
    public void Split_AnyAmountAndWeights_LosesNothingAndStaysWithinOneUnitOfTheShare() =>
        Check.QuickThrowOnFailure(Prop.ForAll(Amounts, Weights, (amount, weights) =>
        {
            var parts = new Money(amount, Currency.Eur).Split(weights);
            var total = weights.Aggregate((Int128)0, (sum, weight) => sum + weight);
            Assert.Equal((Int128)amount, parts.Aggregate((Int128)0, (sum, part) => sum + part.MinorUnits));
            Assert.All(parts.Zip(weights), pair =>
            {
                // |part - amount * weight / total| < 1, kept in whole numbers.
                var error = BigAbs(((System.Numerics.BigInteger)pair.First.MinorUnits * (System.Numerics.BigInteger)total) - ((System.Numerics.BigInteger)amount * pair.Second));
                Assert.True(error < (System.Numerics.BigInteger)total);
                Assert.True(pair.Second > 0 || pair.First.IsZero);
            });
        }));

    [Theory]
    [InlineData(100, new long[] { 1, 1, 1 }, new long[] { 34, 33, 33 })]
    [InlineData(-100, new long[] { 1, 1, 1 }, new long[] { -34, -33, -33 })]
    [InlineData(5, new long[] { 0, 3, 7 }, new long[] { 0, 2, 3 })]
    [InlineData(1, new long[] { 1, 1 }, new long[] { 1, 0 })]
    public void Split_Known_GivesTheLargestRemaindersTheRest(long amount, long[] weights, long[] parts) =>
        Assert.Equal(parts, new Money(amount, Currency.Jpy).Split(weights).Select(part => part.MinorUnits));

    [Fact]
    public void Split_NoWeight_Throws()
    {
        var amount = new Money(1, Currency.Eur);

        Assert.Throws<ArgumentException>(() => amount.Split());
        Assert.Throws<ArgumentException>(() => amount.Split(0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => amount.Split(2, -1));
    }

    [Fact]
    public void Arithmetic_AnyTwoAmounts_IsExactOrThrows() =>
        Check.QuickThrowOnFailure(Prop.ForAll(Amounts, Amounts, (a, b) =>
        {
            var (left, right) = (new Money(a, Currency.Kwd), new Money(b, Currency.Kwd));
            ExactOrOverflow((Int128)a + b, () => left + right);
            ExactOrOverflow((Int128)a - b, () => left - right);
            ExactOrOverflow(-(Int128)a, () => -left);
            Assert.Equal(a.CompareTo(b), left.CompareTo(right));
            Assert.Equal(a == b, left == right);
        }));

    [Fact]
    public void Arithmetic_TwoCurrencies_Throws()
    {
        var (euro, dollar) = (new Money(1, Currency.Eur), new Money(1, Currency.Usd));

        Assert.Throws<InvalidOperationException>(() => euro + dollar);
        Assert.Throws<InvalidOperationException>(() => euro - dollar);
        Assert.Throws<InvalidOperationException>(() => euro < dollar);
        Assert.NotEqual(euro, dollar);
    }

    [Fact]
    public void Default_AnyUse_IsNoAmount()
    {
        var none = default(Money);

        Assert.Throws<InvalidOperationException>(() => none.Currency);
        Assert.Throws<InvalidOperationException>(() => none + none);
        Assert.NotEqual(Money.Zero(Currency.Eur), none);
    }

    [Theory]
    [InlineData(10_000, 290, 290)]
    [InlineData(1, 5_000, 1)]
    [InlineData(1, 4_999, 0)]
    [InlineData(-1, 5_000, -1)]
    [InlineData(333, 150, 5)]
    [InlineData(long.MaxValue, 10_000, long.MaxValue)]
    public void BasisPoints_Known_RoundsHalfAwayFromZero(long amount, int basisPoints, long expected) =>
        Assert.Equal(new Money(expected, Currency.Eur), new Money(amount, Currency.Eur).BasisPoints(basisPoints));

    [Theory]
    [InlineData(1050, "EUR", "10.50 EUR")]
    [InlineData(1050, "JPY", "1050 JPY")]
    [InlineData(1050, "KWD", "1.050 KWD")]
    [InlineData(0, "EUR", "0.00 EUR")]
    [InlineData(-5, "EUR", "-0.05 EUR")]
    [InlineData(long.MinValue, "EUR", "-92233720368547758.08 EUR")]
    public void ToString_Known_HasTheCurrencysDigits(long amount, string currency, string text) =>
        Assert.Equal(text, new Money(amount, Currency.Of(currency)).ToString());

    private static void ExactOrOverflow(Int128 exact, Func<Money> compute)
    {
        if (exact >= long.MinValue && exact <= long.MaxValue)
            Assert.Equal((long)exact, compute().MinorUnits);
        else
            Assert.Throws<OverflowException>(() => compute());
    }

    private static System.Numerics.BigInteger BigAbs(System.Numerics.BigInteger value) => System.Numerics.BigInteger.Abs(value);
}
