using System.Net;
using Payments.Domain;
using Payments.Domain.Ledger;
using Payments.Domain.Payouts;

namespace Payments.Postgres.Tests.Payouts;

/// <summary>An instant payout is sent once. Where no answer came, the bank is asked, until its word is final.</summary>
public sealed class InstantTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static readonly DateTimeOffset Saturday = new(2026, 11, 21, 20, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task CreateAsync_InstantOnASaturday_ArrivesTheSameDay()
    {
        using var world = new PayoutWorld(database.App);
        world.Clock.Now = Saturday;
        var payout = await InstantAsync(world);
        Assert.Equal((PayoutMethod.Instant, PayoutRail.Sandbox, new DateOnly(2026, 11, 21)),
            (payout.Method, payout.Rail, payout.ArrivalDate));
        await world.Submit.HandleAsync(payout.Merchant, payout.Id, default);
        Assert.Equal(PayoutStatus.InTransit, await StatusAsync(world, payout));
        var body = Assert.Single(world.Bank.Requests);
        Assert.Contains("\"method\":\"instant\"", body);
        Assert.Contains("\"valid_until\":\"2026-11-21T20:00:20", body);
    }

    [Fact]
    public async Task CreateAsync_InstantWhereEuroGoesByFile_GoesByTheBanksApi()
    {
        using var world = new PayoutWorld(database.App, o => o.Rails["EUR"] = PayoutRail.File);
        var payout = await InstantAsync(world);
        Assert.Equal((PayoutRail.Sandbox, (PayoutRunId?)null), (payout.Rail, payout.Run));

        // The files of the next run leave it alone.
        await world.Run.RunAsync(PayoutWorld.Today.AddDays(5000), Currency.Eur, "test", default);
        Assert.Null((await world.Reads.GetAsync(payout.Merchant, payout.Id, default))!.Run);
        await world.Submit.HandleAsync(payout.Merchant, payout.Id, default);
        Assert.Equal(PayoutStatus.InTransit, await StatusAsync(world, payout));
    }

    [Theory]
    [InlineData("""{"result":"match","instant_reachable":false}""", "EUR", "DE89370400440532013000")]
    [InlineData("""{"result":"match"}""", "EUR", "SA0380000000608010167519")]
    [InlineData("""{"result":"match"}""", "JPY", "DE89370400440532013000")]
    public async Task CreateAsync_InstantDoesNotReachTheAccount_IsRefusedAndStandardIsNot(string payee, string currency, string iban)
    {
        using var world = new PayoutWorld(database.App);
        world.Bank.Payee = payee;
        var merchant = await world.MerchantAsync(withAccount: false);
        var of = Currency.Of(currency);
        Assert.True((await world.Settings.SetAccountAsync(merchant, of, new("iban", "Shop", iban, null, null, null, null, true), true,
            "test", default)).TryGet(out _, out _));
        await world.EarnAsync(merchant, 100, currency: of);
        var refused = await world.Manual.CreateAsync(SubmissionTests.Request(merchant, "instant"),
            new CreatePayoutRequest(null, currency, "instant"), "test", default);
        Assert.False(refused.TryGet(out _, out var refusal));
        Assert.Equal((RefusalCode.ParameterInvalid, "method"), (refusal.Code, refusal.Param));
        Assert.True((await world.Manual.CreateAsync(SubmissionTests.Request(merchant, "standard"),
            new CreatePayoutRequest(null, currency, null), "test", default)).TryGet(out _, out _));
    }

    [Fact]
    public async Task HandleAsync_AnswerWasLost_AsksAndNeverSendsAgain()
    {
        using var world = new PayoutWorld(database.App);
        var payout = await InstantAsync(world);
        world.Bank.Fails = _ => true;
        await Assert.ThrowsAsync<BankAnswerUnknownException>(() => HandleAsync(world, payout));
        world.Bank.Silent = true;
        await Assert.ThrowsAsync<BankAnswerUnknownException>(() => HandleAsync(world, payout));
        Assert.Equal(PayoutStatus.Pending, await StatusAsync(world, payout));

        world.Bank.Silent = false;
        await HandleAsync(world, payout);
        var known = (await world.Reads.GetAsync(payout.Merchant, payout.Id, default))!;
        Assert.Equal((PayoutStatus.InTransit, "pyo_0"), (known.Status, known.ProviderReference));
        Assert.Equal((1, 2), (world.Bank.Calls, world.Bank.Questions));
        Assert.Equal(100, Assert.Single(world.Bank.Paid).Value);
        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task HandleAsync_RequestWasLost_GivesTheMoneyBackOnceTheBankCanNoLongerTakeIt()
    {
        using var world = new PayoutWorld(database.App);
        var payout = await InstantAsync(world);
        world.Bank.Fails = _ => false;
        await Assert.ThrowsAsync<BankAnswerUnknownException>(() => HandleAsync(world, payout));

        // The bank does not know it, and might still get it.
        await Assert.ThrowsAsync<BankAnswerUnknownException>(() => HandleAsync(world, payout));
        world.Clock.Now += world.Options.InstantWindow - TimeSpan.FromTicks(10);
        await Assert.ThrowsAsync<BankAnswerUnknownException>(() => HandleAsync(world, payout));
        world.Clock.Now += TimeSpan.FromTicks(10);
        await HandleAsync(world, payout);
        var failed = (await world.Reads.GetAsync(payout.Merchant, payout.Id, default))!;
        Assert.Equal((PayoutStatus.Failed, "instant_not_taken", 1), (failed.Status, failed.FailureCode, world.Bank.Calls));
        Assert.Equal(100, await world.BalanceAsync(ChartOfAccounts.MerchantAvailable(payout.Merchant, Currency.Eur)));

        // The account is not at fault: standard payouts still go there.
        Assert.Null((await world.PreviewAsync(payout.Merchant, Currency.Eur)).Reason);
        await HandleAsync(world, payout);
        Assert.Equal(1, world.Bank.Calls);
        await world.AssertSoundAsync();
    }

    /// <summary>Our clock may be wrong: the bank's time says whether its word is final.</summary>
    [Fact]
    public async Task HandleAsync_OurClockIsAhead_WaitsForTheBanks()
    {
        using var world = new PayoutWorld(database.App);
        var bank = world.Clock.Now;
        world.Bank.Now = () => bank;
        var payout = await InstantAsync(world);
        world.Bank.Fails = _ => false;
        await Assert.ThrowsAsync<BankAnswerUnknownException>(() => HandleAsync(world, payout));
        world.Clock.Now += TimeSpan.FromDays(1);
        await Assert.ThrowsAsync<BankAnswerUnknownException>(() => HandleAsync(world, payout));
        Assert.Equal(PayoutStatus.Pending, await StatusAsync(world, payout));
        bank += world.Options.InstantWindow;
        await HandleAsync(world, payout);
        Assert.Equal(PayoutStatus.Failed, await StatusAsync(world, payout));
    }

    /// <summary>The process dies after it wrote down that it would send, before it did. The next one does not know, and asks.</summary>
    [Fact]
    public async Task HandleAsync_ProcessDiedBeforeSending_IsAskedAboutAndNotSent()
    {
        using var world = new PayoutWorld(database.App);
        var payout = await InstantAsync(world);
        Assert.Equal(1, await world.CountAsync(
            """
            WITH begun AS (
                UPDATE payments.payouts SET submission_started_at = @now, valid_until = @until WHERE id = @id RETURNING 1
            )
            SELECT count(*) FROM begun
            """,
            new { id = payout.Id.Value, now = world.Clock.Now, until = world.Clock.Now + world.Options.InstantWindow }));
        await Assert.ThrowsAsync<BankAnswerUnknownException>(() => HandleAsync(world, payout));
        Assert.Equal((0, 1), (world.Bank.Calls, world.Bank.Questions));
        world.Clock.Now += world.Options.ResubmitAfter + TimeSpan.FromSeconds(1);
        await world.Submit.SweepAsync(100, default);
        Assert.Equal(PayoutStatus.Failed, await StatusAsync(world, payout));
        Assert.DoesNotContain(world.Bank.Requests, request => request.Contains(payout.Reference, StringComparison.Ordinal));
    }

    /// <summary>What the version before began carries no time until which it can be taken, so the bank's word is never final: the same
    /// request goes again, under its key.</summary>
    [Fact]
    public async Task HandleAsync_BegunByTheVersionBefore_IsSentUnderItsKey()
    {
        using var world = new PayoutWorld(database.App);
        var payout = await InstantAsync(world);
        await world.CountAsync("WITH begun AS (UPDATE payments.payouts SET submission_started_at = @now WHERE id = @id RETURNING 1) SELECT count(*) FROM begun", new { id = payout.Id.Value, now = world.Clock.Now });
        await HandleAsync(world, payout);
        Assert.Equal((PayoutStatus.InTransit, 1, 0), (await StatusAsync(world, payout), world.Bank.Calls, world.Bank.Questions));
    }

    [Fact]
    public async Task HandleAsync_BankCannotReachTheAccountInstantly_FailsAndBlamesNoAccount()
    {
        using var world = new PayoutWorld(database.App);
        var payout = await InstantAsync(world);
        world.Bank.Refuses = HttpStatusCode.BadRequest;
        world.Bank.RefusalCode = "instant_not_reachable";
        await HandleAsync(world, payout);
        Assert.Equal(PayoutStatus.Failed, await StatusAsync(world, payout));
        Assert.Null((await world.PreviewAsync(payout.Merchant, Currency.Eur)).Reason);
    }

    private static Task HandleAsync(PayoutWorld world, Payout payout) => world.Submit.HandleAsync(payout.Merchant, payout.Id, default);

    private static async Task<PayoutStatus> StatusAsync(PayoutWorld world, Payout payout) =>
        (await world.Reads.GetAsync(payout.Merchant, payout.Id, default))!.Status;

    private static async Task<Payout> InstantAsync(PayoutWorld world)
    {
        var merchant = await world.MerchantAsync();
        await world.EarnAsync(merchant, 100);
        var made = await world.Manual.CreateAsync(SubmissionTests.Request(merchant, "instant"),
            new CreatePayoutRequest(null, "EUR", "instant"), "test", default);
        Assert.True(made.TryGet(out _, out var refusal), refusal?.Detail);
        return Assert.Single(await world.PayoutsAsync(merchant));
    }
}
