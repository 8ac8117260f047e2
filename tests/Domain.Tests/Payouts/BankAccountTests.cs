using FsCheck;
using FsCheck.Fluent;
using Payments.Domain.Payouts;

namespace Payments.Domain.Tests.Payouts;

public sealed class BankAccountTests
{
    [Theory]
    [InlineData("DE89370400440532013000")]
    [InlineData("de89 3704 0044 0532 0130 00")]
    [InlineData("GB29NWBK60161331926819")]
    [InlineData("FR1420041010050500013M02606")]
    [InlineData("NO9386011117947")]
    [InlineData("MT84MALT011000012345MTLCAST001S")]
    public void TryParse_IbanOfTheRegistry_IsRead(string text)
    {
        Assert.True(Iban.TryParse(text, out var iban));
        Assert.DoesNotContain(' ', iban);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("DE")]
    [InlineData("DE88370400440532013000")]
    [InlineData("DE8937040044053201300")]
    [InlineData("DE893704004405320130000")]
    [InlineData("US89370400440532013000")]
    [InlineData("DEA9370400440532013000")]
    [InlineData("-DE89370400440532013000")]
    [InlineData("DE89370400440532013000-")]
    [InlineData("DE89--3704-0044-0532-0130-00")]
    [InlineData("DE89.3704.0044.0532.0130.00")]
    [InlineData("IBAN DE89370400440532013000")]
    public void TryParse_NotAnIban_IsRefused(string? text) => Assert.False(Iban.TryParse(text, out _));

    // Word processors, web pages and spreadsheets put these between the groups.
    [Theory]
    [InlineData("DE89\u00A03704\u00A00044\u00A00532\u00A00130\u00A000")]
    [InlineData("DE89\u202F3704\u202F0044\u202F0532\u202F0130\u202F00")]
    [InlineData("DE89\u20073704\u20090044\u200A0532 0130\u300000")]
    [InlineData("DE89\t3704\t0044\t0532\t0130\t00")]
    [InlineData("\tDE89 3704 0044 0532 0130 00\r\n")]
    [InlineData("DE89\n3704 0044\r\n0532 0130 00")]
    [InlineData("DE89-3704-0044-0532-0130-00")]
    [InlineData("DE89\u20103704\u20110044\u20120532\u20130130\u221200")]
    [InlineData("DE89 - 3704 - 0044 - 0532 - 0130 - 00")]
    [InlineData("\uFEFFDE89\u200B3704\u200B0044\u00AD0532\u20600130\u200E00")]
    [InlineData("  d e 8 9 3 7 0 4 0 0 4 4 0 5 3 2 0 1 3 0 0 0  ")]
    public void TryParse_IbanAsPasted_IsRead(string text)
    {
        Assert.True(Iban.TryParse(text, out var iban));
        Assert.Equal("DE89370400440532013000", iban);
    }

    // 00, 01 and 99 leave the same remainder as 97, 98 and 02, and no bank ever computes them.
    [Theory]
    [InlineData(97, "00")]
    [InlineData(98, "01")]
    [InlineData(2, "99")]
    public void TryParse_CheckDigitsThatNoBankComputes_IsRefused(int computed, string written)
    {
        var bban = Enumerable.Range(0, 1_000).Select(i => $"37040044{i:0000000000}")
            .First(b => int.Parse(Iban.CheckDigits("DE", b), null) == computed);
        Assert.True(Iban.TryParse($"DE{computed:00}{bban}", out _));
        Assert.False(Iban.TryParse($"DE{written}{bban}", out _));
    }

    [Fact]
    public void TryParse_AnyOneCharacterChanged_IsRefused()
    {
        var cases =
            from country in Gen.Elements(Iban.Countries.Order(StringComparer.Ordinal).ToArray())
            from bban in Gen.Elements("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ".ToCharArray()).ArrayOf(Iban.LengthOf(country)!.Value - 4)
            from at in Gen.Choose(2, Iban.LengthOf(country)!.Value - 1)
            from digit in Gen.Elements("0123456789".ToCharArray())
            select (Country: country, Bban: new string(bban), At: at, Digit: digit);
        Prop.ForAll(cases.ToArbitrary(), c =>
        {
            var iban = c.Country + Iban.CheckDigits(c.Country, c.Bban) + c.Bban;
            var changed = iban[..c.At] + c.Digit + iban[(c.At + 1)..];
            return Iban.TryParse(iban, out var read) && read == iban && (changed == iban || !char.IsDigit(iban[c.At]) || !Iban.TryParse(changed, out _));
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData("021000021", true)]
    [InlineData("011401533", true)]
    [InlineData("091000019", true)]
    [InlineData("021000022", false)]
    [InlineData("210000021", false)]
    [InlineData("02100002", false)]
    [InlineData("0210000210", false)]
    [InlineData("000000000", false)]
    [InlineData("99A000021", false)]
    public void IsValid_RoutingNumber_FollowsItsCheckDigit(string text, bool valid) => Assert.Equal(valid, AbaRoutingNumber.IsValid(text));

    [Fact]
    public void IsValid_AnyOneDigitChanged_IsRefused()
    {
        var cases =
            from prefix in Gen.Choose(1, 12)
            from rest in Gen.Choose(0, 999_999)
            from at in Gen.Choose(0, 8)
            from add in Gen.Choose(1, 9)
            select (Eight: $"{prefix:00}{rest:000000}", At: at, Add: add);
        Prop.ForAll(cases.ToArbitrary(), c =>
        {
            var number = c.Eight + AbaRoutingNumber.CheckDigit(c.Eight);
            var digits = number.ToCharArray();
            digits[c.At] = (char)('0' + ((digits[c.At] - '0' + c.Add) % 10));
            return AbaRoutingNumber.IsValid(number) && !AbaRoutingNumber.IsValid(new string(digits));
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void TryCreateIban_BadField_NamesIt()
    {
        Assert.False(BankAccountDetails.TryCreateIban(" ", "DE89370400440532013000", null, out _, out var holder));
        Assert.Equal(BankAccountProblem.HolderNameMissing, holder);
        Assert.False(BankAccountDetails.TryCreateIban("A", "DE00", null, out _, out var iban));
        Assert.Equal(BankAccountProblem.IbanInvalid, iban);
        Assert.False(BankAccountDetails.TryCreateIban("A", "DE89370400440532013000", "DEUTDEF", out _, out var bic));
        Assert.Equal(BankAccountProblem.BicInvalid, bic);
        Assert.True(BankAccountDetails.TryCreateIban("A", "DE89 3704 0044 0532 0130 00", "deutdeff", out var details, out _));
        Assert.Equal(("DE89370400440532013000", "DEUTDEFF", "3000"), (details.Iban, details.Bic, details.Last4));
        Assert.True(BankAccountDetails.TryCreateIban("A", "DE89370400440532013000", "\u00A0DEUT DE\tFF ", out details, out _));
        Assert.Equal("DEUTDEFF", details.Bic);
        Assert.True(BankAccountDetails.TryCreateIban("A", "DE89370400440532013000", "\u00A0", out details, out _));
        Assert.Null(details.Bic);
    }

    [Fact]
    public void TryCreateUs_BadField_NamesIt()
    {
        Assert.False(BankAccountDetails.TryCreateUs("A", "021000022", "12345", UsAccountType.Checking, out _, out var routing));
        Assert.Equal(BankAccountProblem.RoutingNumberInvalid, routing);
        Assert.False(BankAccountDetails.TryCreateUs("A", "021000021", "12-45", UsAccountType.Checking, out _, out var account));
        Assert.Equal(BankAccountProblem.AccountNumberInvalid, account);
        Assert.True(BankAccountDetails.TryCreateUs("A", "021000021", "000123456789", UsAccountType.Savings, out var details, out _));
        Assert.Equal("6789", details.Last4);
        Assert.True(BankAccountDetails.TryCreateUs("A", "0210\u00A000021\t", " 0001 2345 6789", UsAccountType.Savings, out details, out _));
        Assert.Equal(("021000021", "000123456789"), (details.RoutingNumber, details.AccountNumber));
    }
}
