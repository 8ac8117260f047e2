namespace Payments.Domain.Tests.MoneyRules;

public sealed class CurrencyTests
{
    [Theory]
    [InlineData("JPY", 0)]
    [InlineData("EUR", 2)]
    [InlineData("KWD", 3)]
    [InlineData("ISK", 0)]
    [InlineData("HUF", 2)]
    [InlineData("TND", 3)]
    public void Of_Code_HasItsExponent(string code, int exponent) => Assert.Equal(exponent, Currency.Of(code).Exponent);

    [Theory]
    [InlineData("")]
    [InlineData("EURO")]
    [InlineData("EU")]
    [InlineData("XAU")]
    [InlineData("XXX")]
    [InlineData("XTS")]
    [InlineData(" EUR")]
    [InlineData(null)]
    public void TryParse_NoCurrency_IsFalse(string? code)
    {
        Assert.False(Currency.TryParse(code, out var currency));
        Assert.Null(currency);
    }

    [Fact]
    public void TryParse_EitherCase_IsTheOneInstance()
    {
        Assert.True(Currency.TryParse("eur", out var currency));
        Assert.Same(Currency.Eur, currency);
    }

    [Fact]
    public void All_EachCode_IsThreeCapitalsAndUnique()
    {
        Assert.All(Currency.All, currency => Assert.Matches("^[A-Z]{3}$", currency.Code));
        Assert.Equal(Currency.All.Count, Currency.All.DistinctBy(currency => currency.Code).Count());
        Assert.All(Currency.All, currency => Assert.Same(currency, Currency.Of(currency.Code)));
    }
}
