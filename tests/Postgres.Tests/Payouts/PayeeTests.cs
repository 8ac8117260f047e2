using Dapper;
using Payments.Domain;
using Payments.Domain.Payouts;

namespace Payments.Postgres.Tests.Payouts;

/// <summary>The bank says who holds an account, and payouts wait or stop where it is not the merchant.</summary>
public sealed class PayeeTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    [Theory]
    [InlineData("""{"result":"match","instant_reachable":true}""", PayeeResult.Match, null, true, null)]
    [InlineData("""{"result":"close_match","suggested_name":"Müller Ltd","instant_reachable":false}""", PayeeResult.CloseMatch, "Müller Ltd", false, "payee_held")]
    [InlineData("""{"result":"no_match","suggested_name":"somebody"}""", PayeeResult.NoMatch, null, null, "payee_blocked")]
    [InlineData("""{"result":"not_possible"}""", PayeeResult.NotPossible, null, null, null)]
    [InlineData("""{"result":"perhaps"}""", PayeeResult.NotPossible, null, null, null)]
    [InlineData("<html>", PayeeResult.NotPossible, null, null, null)]
    [InlineData(null, PayeeResult.NotPossible, null, null, null)]
    public async Task SetAccountAsync_BankAnswers_IsStoredAndDecides(string? answer, PayeeResult result, string? name, bool? reachable,
        string? reason)
    {
        using var world = new PayoutWorld(database.App);
        world.Bank.Payee = answer;
        var merchant = await world.MerchantAsync();
        await world.EarnAsync(merchant, 100);
        var account = Assert.Single(await world.Settings.ListAsync(merchant, default)).Account!;
        Assert.Equal((new PayeeCheck(result, world.Clock.Now, name, Accepted: false), reachable),
            (account.Payee, account.InstantReachable));
        Assert.Equal(reason, (await world.PreviewAsync(merchant, Currency.Eur)).Reason);
        Assert.Equal(
            reason is null,
            (await world.Manual.CreateAsync(SubmissionTests.Request(merchant, "payee"), new CreatePayoutRequest(null, "EUR", null), "test",
                default)).TryGet(out _, out var refusal));
        Assert.Equal(reason is null ? null : RefusalCode.StateConflict, refusal?.Code);
    }

    [Fact]
    public async Task VerifyAccountAsync_HeldForACloseMatch_AcceptsUntilTheBankSaysOtherwise()
    {
        using var world = new PayoutWorld(database.App);
        world.Bank.Payee = """{"result":"close_match","suggested_name":"Müller Ltd"}""";
        var merchant = await world.MerchantAsync();
        await world.EarnAsync(merchant, 100);
        Assert.Equal("payee_held", (await world.PreviewAsync(merchant, Currency.Eur)).Reason);

        // Stating the same account again asks nobody and accepts nothing.
        var calls = world.Bank.PayeeCalls;
        await world.AccountAsync(merchant, Currency.Eur);
        Assert.Equal((calls, "payee_held"), (world.Bank.PayeeCalls, (await world.PreviewAsync(merchant, Currency.Eur)).Reason));
        Assert.True((await world.Settings.VerifyAccountAsync(merchant, Currency.Eur, "test", default)).TryGet(out var accepted, out _));
        Assert.True(accepted.Account!.Payee!.Accepted);
        Assert.Null((await world.PreviewAsync(merchant, Currency.Eur)).Reason);

        world.Bank.Payee = """{"result":"no_match"}""";
        Assert.True((await world.Settings.CheckPayeeAsync(merchant, Currency.Eur, "test", default)).TryGet(out _, out _));
        Assert.Equal("payee_blocked", (await world.PreviewAsync(merchant, Currency.Eur)).Reason);
        await world.Settings.VerifyAccountAsync(merchant, Currency.Eur, "test", default);
        Assert.Equal("payee_blocked", (await world.PreviewAsync(merchant, Currency.Eur)).Reason);
        Assert.Equal(
            ["payout_settings.bank_account_checked", "payout_settings.bank_account_set", "payout_settings.bank_account_verified",
                "payout_settings.bank_account_verified"],
            await ActionsAsync(world, merchant));
    }

    [Fact]
    public async Task CheckPayeeAsync_BankDidNotAnswer_IsAskedAgain()
    {
        using var world = new PayoutWorld(database.App, o => o.Payee.NotPossible = PayeePolicy.Hold);
        world.Bank.Payee = null;
        var merchant = await world.MerchantAsync();
        Assert.Equal("payee_held", (await world.PreviewAsync(merchant, Currency.Eur)).Reason);
        world.Bank.Payee = """{"result":"match"}""";
        Assert.True((await world.Settings.CheckPayeeAsync(merchant, Currency.Eur, "test", default)).TryGet(out var settings, out _));
        Assert.Equal(PayeeResult.Match, settings.Account!.Payee!.Result);
        Assert.Equal("nothing_available", (await world.PreviewAsync(merchant, Currency.Eur)).Reason);
    }

    [Fact]
    public async Task PreviewAsync_AccountOfTheVersionBefore_IsNotHeld()
    {
        using var world = new PayoutWorld(database.App);
        world.Bank.Payee = """{"result":"no_match"}""";
        var merchant = await world.MerchantAsync();
        await world.EarnAsync(merchant, 100);
        await using (var connection = await world.Database.OpenConnectionAsync())
        {
            await connection.ExecuteAsync(
                "UPDATE payments.bank_accounts SET payee_result = NULL, payee_checked_at = NULL, instant_reachable = NULL WHERE merchant_id = @id", new { id = merchant.Value });
        }

        Assert.Null((await world.PreviewAsync(merchant, Currency.Eur)).Reason);
        Assert.Null(Assert.Single(await world.Settings.ListAsync(merchant, default)).Account!.Payee);
    }

    [Fact]
    public async Task SetAccountAsync_NameOrAddressPutRight_DoesNotCool()
    {
        using var world = new PayoutWorld(database.App);
        var merchant = await world.MerchantAsync();
        var request = PayoutWorld.AccountRequest(Currency.Eur, 1, verified: null);
        var address = new PostalAddressRequest
        {
            StreetName = "Hauptstraße",
            BuildingNumber = "1",
            PostCode = "10117",
            TownName = "Berlin",
            Country = "DE"
        };
        Assert.True((await world.Settings.SetAccountAsync(merchant, Currency.Eur, request with { Address = address }, false, "test",
            default)).TryGet(out var settings, out _));
        Assert.Equal((true, world.Clock.Now), (settings.Account!.Verified, settings.Account.UsableFrom));
        Assert.Equal("Hauptstraße", Assert.Single(await world.Settings.ListAsync(merchant, default)).Account!.Details.Address!.StreetName);

        // Another holder is to be verified, another number cools as well.
        Assert.True((await world.Settings.SetAccountAsync(merchant, Currency.Eur, request with { HolderName = "Müller Ltd" }, false, "test",
            default)).TryGet(out settings, out _));
        Assert.Equal((false, world.Clock.Now), (settings.Account!.Verified, settings.Account.UsableFrom));
        var other = PayoutWorld.AccountRequest(Currency.Eur, 2, verified: null);
        Assert.True((await world.Settings.SetAccountAsync(merchant, Currency.Eur, other, false, "test", default)).TryGet(out settings,
            out _));
        Assert.Equal((false, world.Clock.Now + world.Options.CoolingPeriod), (settings.Account!.Verified, settings.Account.UsableFrom));
    }

    [Theory]
    [InlineData("SA0380000000608010167519", false)]
    [InlineData("BR1800360305000010009795493C1", false)]
    [InlineData("TR330006100519786457841326", false)]
    [InlineData("CH9300762011623852957", true)]
    [InlineData("GB29NWBK60161331926819", true)]
    [InlineData("DE89370400440532013000", true)]
    public async Task SetAccountAsync_EuroGoesBySepa_RefusesAccountsThatItDoesNotReach(string iban, bool reached)
    {
        using var world = new PayoutWorld(database.App, o => o.Rails["EUR"] = PayoutRail.File);
        var merchant = await world.MerchantAsync(withAccount: false);
        var request = new BankAccountRequest("iban", "Shop", iban, null, null, null, null, true);
        Assert.Equal(reached, (await world.Settings.SetAccountAsync(merchant, Currency.Eur, request, true, "test", default)).TryGet(out _,
            out var refusal));
        if (!reached)
        {
            Assert.Equal((RefusalCode.ParameterInvalid, "iban"), (refusal!.Code, refusal.Param));
        }
    }

    /// <summary>An account that was given while EUR went by the bank's API is no account of a file: the run leaves it out and says
    /// so.</summary>
    [Fact]
    public async Task RunAsync_AccountOutsideSepaFromBefore_IsNotWrittenToAFile()
    {
        using var before = new PayoutWorld(database.App);
        var merchant = await before.MerchantAsync(withAccount: false);
        Assert.True((await before.Settings.SetAccountAsync(
            merchant, Currency.Eur, new("iban", "Riyadh Shop", "SA0380000000608010167519", null, null, null, null, true), true, "test",
                default)).TryGet(out _, out _));
        await before.EarnAsync(merchant, 4_825);
        Assert.Null((await before.PreviewAsync(merchant, Currency.Eur)).Reason);

        using var world = new PayoutWorld(database.App, o => o.Rails["EUR"] = PayoutRail.File);
        Assert.Equal("bank_account_unreachable", (await world.PreviewAsync(merchant, Currency.Eur)).Reason);
        await world.Run.RunAsync(PayoutWorld.Today.AddDays(3000), Currency.Eur, "test", default);
        Assert.Empty(await world.PayoutsAsync(merchant));
        Assert.False((await world.Manual.CreateAsync(SubmissionTests.Request(merchant, "sa"), new CreatePayoutRequest(null, "EUR", null),
            "test", default)).TryGet(out _, out var refusal));
        Assert.Equal(RefusalCode.StateConflict, refusal.Code);
    }

    private static async Task<IReadOnlyList<string>> ActionsAsync(PayoutWorld world, MerchantId merchant)
    {
        await using var connection = await world.Database.OpenConnectionAsync();
        return [.. await connection.QueryAsync<string>("SELECT action FROM payments.audit_log WHERE merchant_id = @id ORDER BY action",
            new { id = merchant.Value })];
    }
}
