using Payments.Domain.Pricing;

namespace Payments.Domain.Tests.Pricing;

public sealed class FeePlanTests
{
    [Theory]
    [InlineData("EUR", 10_000, 320)]
    [InlineData("EUR", 1, 30)]
    [InlineData("EUR", 1_017, 59)]
    [InlineData("JPY", 5_000, 175)]
    [InlineData("KWD", 10_000, 390)]
    public void FeeFor_TheStandardPlan_IsShareAndFixedPart(string currency, long amount, long fee) =>
        Assert.Equal(new Money(fee, Currency.Of(currency)), FeePlan.Standard.FeeFor(new Money(amount, Currency.Of(currency))));

    [Fact]
    public void FeeFor_BelowTheMinimum_IsTheMinimum() =>
        Assert.Equal(new Money(50, Currency.Eur), new FeePlan([new("EUR", 100, 0, Minimum: 50)]).FeeFor(new Money(100, Currency.Eur)));

    [Fact]
    public void FeeFor_NoRuleOfTheCurrency_IsFree() => Assert.True(new FeePlan([new("EUR", 100, 5)]).FeeFor(new Money(100, Currency.Usd)).IsZero);

    [Fact]
    public void FeeFor_TheCurrencysOwnRule_WinsOverTheGeneralOne() =>
        Assert.Equal(new Money(1, Currency.Usd), new FeePlan([new(null, 10_000, 0), new("USD", 100, 0)]).FeeFor(new Money(100, Currency.Usd)));

    [Theory]
    [InlineData("EURO", 0, 0, "fee_plan.rules[0].currency")]
    [InlineData("EUR", -1, 0, "fee_plan.rules[0].basis_points")]
    [InlineData("EUR", 10_001, 0, "fee_plan.rules[0].basis_points")]
    [InlineData("EUR", 0, -1, "fee_plan.rules[0].fixed")]
    public void Validate_AnImpossibleRule_NamesIt(string currency, int basisPoints, long fixedPart, string param) =>
        Assert.Equal(param, new FeePlan([new(currency, basisPoints, fixedPart)]).Validate("fee_plan")?.Param);

    [Fact]
    public void Validate_TwoRulesOfOneCurrency_IsRefused() => Assert.NotNull(new FeePlan([new("EUR", 1, 1), new("eur", 2, 2)]).Validate("fee_plan"));
}
