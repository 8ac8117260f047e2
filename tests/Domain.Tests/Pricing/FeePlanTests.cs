using Payments.Domain.Pricing;

namespace Payments.Domain.Tests.Pricing;

/// <summary>Which rule prices a capture, and which plans are refused.</summary>
public sealed class FeePlanTests
{
    public static TheoryData<string> EveryCurrency() => [.. Currency.All.Select(currency => currency.Code)];

    /// <summary>
    /// 1500 minor units are another sum of money in a currency with other decimals: there the amount is stated, in the code and on the
    /// page.
    /// </summary>
    [Theory]
    [MemberData(nameof(EveryCurrency))]
    public void StandardDisputeFee_OfEveryCurrency_IsWhatThePageSays(string code)
    {
        var currency = Currency.Of(code);
        var fees = DisputeFeePlan.Standard.FeesFor(currency);
        if (currency.Exponent == 2)
        {
            Assert.Equal(new DisputeFees(1500, 0, 0, true), fees);
            return;
        }

        var page = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Pricing", "disputes.md"));
        var stated = System.Text.RegularExpressions.Regex.Match(page, $@"\b{code} (\d+(?:\.\d{{3}})?)(?!\d)");
        Assert.True(stated.Success, $"docs/disputes.md states no fee in {code}.");
        Assert.Equal(currency.Exponent == 3, stated.Groups[1].Value.Contains('.', StringComparison.Ordinal));
        Assert.Equal(new DisputeFees(long.Parse(stated.Groups[1].Value.Replace(".", "", StringComparison.Ordinal), System.Globalization.CultureInfo.InvariantCulture), 0, 0, true), fees);
        Assert.Contains(DisputeFeePlan.Standard.Rules, rule => rule.Currency == code);
    }

    [Fact]
    public void StandardDisputeFees_AreOnesThatAPlanMayHave() => Assert.Null(DisputeFeePlan.Standard.Validate("disputes"));

    private static readonly FeePlan Cards = new(
    [
        new(null, 400, 50),
        new("EUR", 300, 30),
        new("EUR", 290, 30, Method: "card"),
        new("EUR", 250, 25, CardRegion: CardRegion.Eea),
        new("EUR", 140, 20, CardRegion: CardRegion.Domestic),
        new("EUR", 330, 30, CardBrand: "amex"),
        new("EUR", 310, 30, CardBrand: "amex", CardRegion: CardRegion.Domestic),
        new(null, 350, 0, CardBrand: "visa"),
    ]);

    [Theory]
    [InlineData("EUR", null, null, 300)]
    [InlineData("EUR", "visa", null, 290)]
    [InlineData("EUR", "visa", "DE", 140)]
    [InlineData("EUR", "VISA", "de", 140)]
    [InlineData("EUR", "visa", "FR", 250)]
    [InlineData("EUR", "visa", "US", 290)]
    [InlineData("EUR", "amex", "US", 330)]
    [InlineData("EUR", "amex", "FR", 330)]
    [InlineData("EUR", "amex", "DE", 310)]
    [InlineData("USD", "visa", "DE", 350)]
    [InlineData("USD", "mastercard", "DE", 400)]
    [InlineData("USD", null, null, 400)]
    public void RuleFor_SeveralMatch_TheNarrowestWins(string currency, string? brand, string? country, int basisPoints)
    {
        var amount = new Money(1000, Currency.Of(currency));
        var subject = brand is null ? new FeeSubject(amount) : FeeSubject.OfCard(amount, brand, country, "DE");

        Assert.Equal(basisPoints, Cards.RuleFor(subject)!.BasisPoints);
    }

    [Fact]
    public void RuleFor_NothingMatches_IsNoneAndFree()
    {
        var plan = new FeePlan([new("EUR", 100, 5)]);
        var subject = new FeeSubject(new Money(100, Currency.Usd));

        Assert.Null(plan.RuleFor(subject));
        Assert.Equal(0, FeeCalculation.Of(plan, 1, subject, 0).Fee);
    }

    [Theory]
    [InlineData("DE", "DE", CardRegion.Domestic)]
    [InlineData("NO", "DE", CardRegion.Eea)]
    [InlineData("DE", "IS", CardRegion.Eea)]
    [InlineData("GB", "DE", CardRegion.International)]
    [InlineData("DE", "US", CardRegion.International)]
    [InlineData("US", "US", CardRegion.Domestic)]
    [InlineData("CH", "CH", CardRegion.Domestic)]
    [InlineData(null, "DE", null)]
    public void RegionOf_CardAndMerchant_IsSeenFromTheMerchant(string? card, string merchant, CardRegion? region) => Assert.Equal(region, FeeSubject.RegionOf(card, merchant));

    [Fact]
    public void Validate_APlanThatUsesEverything_IsGood() => Assert.Null(
        (Cards with
        {
            FeeOnRefund = RefundFeePolicy.Returned,
            MayExceedAmount = true,
            Rules = [.. Cards.Rules, new("JPY", 100, 5, 10, 20, Tiers: [new(1_000, 90, 4), new(2_000, 80, 3)])],
        }).Validate("plan"));

    public static TheoryData<FeeRule, string> Bad => new()
    {
        { new FeeRule("EURO", 0, 0), "currency" },
        { new FeeRule("EUR", -1, 0), "basis_points" },
        { new FeeRule("EUR", 10_001, 0), "basis_points" },
        { new FeeRule("EUR", 0, -1), "fixed" },
        { new FeeRule("EUR", 0, 1_000_001), "fixed" },
        { new FeeRule("EUR", 0, 0, -1), "minimum" },
        { new FeeRule("EUR", 0, 0, 10, 9), "maximum" },
        { new FeeRule("EUR", 0, 0, Method: ""), "method" },
        { new FeeRule("EUR", 0, 0, Method: "Card"), "method" },
        { new FeeRule("EUR", 0, 0, Method: "ideal", CardBrand: "visa"), "method" },
        { new FeeRule("EUR", 0, 0, CardBrand: "vi sa"), "card_brand" },
        { new FeeRule(null, 0, 0, Tiers: [new(1, 0, 0)]), "tiers" },
        { new FeeRule("EUR", 0, 0, Tiers: [new(0, 0, 0)]), "tiers[0].from" },
        { new FeeRule("EUR", 0, 0, Tiers: [new(5, 0, 0), new(5, 0, 0)]), "tiers[1].from" },
        { new FeeRule("EUR", 0, 0, Tiers: [new(5, 10_001, 0)]), "tiers[0].basis_points" },
        { new FeeRule("EUR", 0, 0, Tiers: [new(5, 0, -1)]), "tiers[0].fixed" },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public void Validate_AnImpossibleRule_NamesWhatIsWrong(FeeRule rule, string param) =>
        Assert.Equal($"plan.rules[0].{param}", new FeePlan([rule]).Validate("plan")?.Param);

    [Fact]
    public void Validate_TwoRulesOfTheSameCaptures_IsRefused()
    {
        Assert.Equal("plan.rules", new FeePlan([new("EUR", 1, 1), new("eur", 2, 2)]).Validate("plan")?.Param);
        Assert.Equal("plan.rules", new FeePlan([new("EUR", 1, 1, CardBrand: "visa"), new("EUR", 2, 2, CardBrand: "visa")]).Validate("plan")?.Param);
        Assert.Null(new FeePlan([new("EUR", 1, 1, CardBrand: "visa"), new("EUR", 2, 2, CardBrand: "amex")]).Validate("plan"));
    }

    [Fact]
    public void At_VersionsInForceOneAfterAnother_IsTheLatestThatHasCome()
    {
        var start = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        FeePlanVersion Version(int number, int day) => new(number, start.AddDays(day), FeePlan.Standard, start, "test");
        var history = new FeePlanHistory([Version(3, 20), Version(1, 0), Version(2, 10), Version(4, 20), Version(5, 15)]);

        Assert.Equal(1, history.At(start.AddDays(-5)).Version);
        Assert.Equal(1, history.At(start.AddDays(10).AddTicks(-1)).Version);
        Assert.Equal(2, history.At(start.AddDays(10)).Version);
        Assert.Equal(5, history.At(start.AddDays(16)).Version);
        Assert.Equal(4, history.At(start.AddDays(20)).Version);
        Assert.Equal(4, history.At(start.AddYears(50)).Version);
    }
}
