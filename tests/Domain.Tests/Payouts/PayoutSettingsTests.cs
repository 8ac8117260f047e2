using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Payments.Domain.Payouts;

namespace Payments.Domain.Tests.Payouts;

/// <summary>What a deployment has to say before money goes to a bank, and where it can go.</summary>
public sealed class PayoutSettingsTests
{
    private static readonly Dictionary<string, string?> Euro = new()
    {
        ["Payouts:Rails:EUR"] = "file",
        ["Payouts:OriginatorName"] = "Payment Functions",
        ["Payouts:OriginatorIban"] = "DE89 3704 0044 0532 0130 00",
        ["Payouts:OriginatorAddress:TownName"] = "Berlin",
        ["Payouts:OriginatorAddress:Country"] = "de",
    };

    private static readonly Dictionary<string, string?> Dollar = new()
    {
        ["Payouts:Rails:usd"] = "File",
        ["Payouts:OriginatorName"] = "Payment Functions",
        ["Payouts:NachaDestination"] = "091000019",
        ["Payouts:NachaDestinationName"] = "BANK",
        ["Payouts:NachaOrigin"] = "1000000000",
        ["Payouts:NachaCompanyId"] = "1000000000",
        ["Payouts:NachaOdfi"] = "09100001",
    };

    [Fact]
    public void AddPayouts_NoFileRail_NeedsNoSettings() => Assert.Null(Error([]));

    [Fact]
    public void AddPayouts_FileRailWithAllSettings_Starts()
    {
        Assert.Null(Error(Euro));
        Assert.Null(Error(Dollar));
    }

    [Theory]
    [InlineData("Payouts:OriginatorName", null, "OriginatorName")]
    [InlineData("Payouts:OriginatorIban", null, "OriginatorIban")]
    [InlineData("Payouts:OriginatorIban", "DE88370400440532013000", "OriginatorIban")]
    [InlineData("Payouts:OriginatorIban", "BR1800360305000010009795493C1", "OriginatorIban")]
    [InlineData("Payouts:OriginatorAddress:TownName", null, "town_name")]
    [InlineData("Payouts:OriginatorAddress:Country", null, "country")]
    [InlineData("Payouts:OriginatorAddress:Country", "Germany", "country")]
    public void AddPayouts_EuroFilesWithoutASetting_RefusesToStartAndNamesIt(string setting, string? value, string named) =>
        Assert.Contains(named, Error(new(Euro) { [setting] = value }));

    [Theory]
    [InlineData("Payouts:OriginatorName", null)]
    [InlineData("Payouts:NachaDestination", null)]
    [InlineData("Payouts:NachaDestination", "091000018")]
    [InlineData("Payouts:NachaDestinationName", null)]
    [InlineData("Payouts:NachaOrigin", null)]
    [InlineData("Payouts:NachaOrigin", "12345678901")]
    [InlineData("Payouts:NachaCompanyId", null)]
    [InlineData("Payouts:NachaOdfi", null)]
    [InlineData("Payouts:NachaOdfi", "0910000")]
    public void AddPayouts_DollarFilesWithoutASetting_RefusesToStartAndNamesIt(string setting, string? value) =>
        Assert.Contains(setting["Payouts:".Length..], Error(new(Dollar) { [setting] = value }));

    [Theory]
    [InlineData("Payouts:Rails:GBP")]
    [InlineData("Payouts:Rails:XXE")]
    public void AddPayouts_FileRailOfACurrencyWithoutFiles_RefusesToStart(string rail) =>
        Assert.Contains(rail[^3..], Error(new(Euro) { [rail] = "file" }));

    [Fact]
    public void Countries_SepaArea_AreTheSchemes()
    {
        Assert.Equal(42, SepaArea.Countries.Count());
        Assert.All(SepaArea.Countries, country => Assert.NotNull(Iban.LengthOf(country)));
        Assert.All("SA BR TR US AE XK BA UA BY GE FO GL".Split(' '), country => Assert.False(SepaArea.Contains(country), country));
        Assert.All("AD AL CH GB GI MC MD ME MK RS SM VA".Split(' '),
            country => Assert.True(SepaArea.Contains(country) && SepaArea.NeedsAddressOfThePayer(country), country));
        Assert.All("DE FR NO IS LI".Split(' '), country =>
            Assert.True(SepaArea.Contains(country) && !SepaArea.NeedsAddressOfThePayer(country), country));
    }

    [Theory]
    [InlineData(PayoutRail.File, PayoutMethod.Standard, "EUR", "SA", false)]
    [InlineData(PayoutRail.File, PayoutMethod.Standard, "EUR", "CH", true)]
    [InlineData(PayoutRail.Sandbox, PayoutMethod.Standard, "EUR", "SA", true)]
    [InlineData(PayoutRail.Sandbox, PayoutMethod.Instant, "EUR", "SA", false)]
    [InlineData(PayoutRail.Sandbox, PayoutMethod.Instant, "EUR", "DE", true)]
    [InlineData(PayoutRail.Sandbox, PayoutMethod.Instant, "GBP", "SA", true)]
    [InlineData(PayoutRail.File, PayoutMethod.Standard, "USD", null, true)]
    public void Reaches_Rail_FollowsTheSepaAreaInEuro(PayoutRail rail, PayoutMethod method, string currency, string? country,
        bool reaches) =>
        Assert.Equal(reaches, PayoutRails.Reaches(rail, method, Currency.Of(currency), country));

    [Theory]
    [InlineData(null, false, PayeePolicy.Allow)]
    [InlineData(PayeeResult.Match, false, PayeePolicy.Allow)]
    [InlineData(PayeeResult.CloseMatch, false, PayeePolicy.Hold)]
    [InlineData(PayeeResult.CloseMatch, true, PayeePolicy.Allow)]
    [InlineData(PayeeResult.NoMatch, false, PayeePolicy.Block)]
    [InlineData(PayeeResult.NoMatch, true, PayeePolicy.Block)]
    [InlineData(PayeeResult.NotPossible, false, PayeePolicy.Allow)]
    public void Of_PayeeResult_IsThePolicyUntilItIsAccepted(PayeeResult? result, bool accepted, PayeePolicy policy)
    {
        Assert.Equal(policy, new PayeeOptions().Of(result, accepted));
        if (result == PayeeResult.NotPossible)
        {
            Assert.Equal(PayeePolicy.Block, new PayeeOptions { NotPossible = PayeePolicy.Block }.Of(result, accepted));
        }
    }

    public static TheoryData<string, PostalAddressRequest> Addresses => new()
    {
        { "", new() { TownName = " Genève ", Country = "ch" } },
        { "", new() { TownName = "Genève", Country = "CH", StreetName = "Rue", BuildingNumber = "1", PostCode = "1201", Line1 = "a",
            Line2 = "b" } },
        { "town_name", new() { Country = "CH", Line1 = "Rue de Genève 1, 1201 Genève" } },
        { "town_name", new() { TownName = new('x', 36), Country = "CH" } },
        { "country", new() { TownName = "Genève", Country = "CHE" } },
        { "country", new() { TownName = "Genève", Country = "C1" } },
        { "street_name", new() { TownName = "Genève", Country = "CH", StreetName = new('x', 71) } },
        { "building_number", new() { TownName = "Genève", Country = "CH", BuildingNumber = new('x', 17) } },
        { "post_code", new() { TownName = "Genève", Country = "CH", PostCode = new('x', 17) } },
        { "line1", new() { TownName = "Genève", Country = "CH", Line1 = new('x', 71) } },
        { "line2", new() { TownName = "Genève", Country = "CH", Line1 = "a", Line2 = new('x', 71) } },
        { "line2", new() { TownName = "Genève", Country = "CH", Line2 = "b" } },
    };

    [Theory]
    [MemberData(nameof(Addresses))]
    public void TryCreate_Address_NamesTheWrongField(string wrong, PostalAddressRequest given)
    {
        Assert.Equal(wrong.Length == 0, PostalAddress.TryCreate(given, out var address, out var field));
        Assert.Equal(wrong, field ?? "");
        if (address is not null)
        {
            Assert.Equal(("Genève", "CH"), (address.TownName, address.Country));
        }
    }

    private static string? Error(Dictionary<string, string?> settings)
    {
        try
        {
            new ServiceCollection().AddPayouts(new ConfigurationBuilder().AddInMemoryCollection(settings).Build());
            return null;
        }
        catch (InvalidOperationException e)
        {
            return e.Message;
        }
    }
}
