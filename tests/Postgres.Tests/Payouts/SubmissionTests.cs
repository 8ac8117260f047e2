using System.Net;
using System.Text.Json;
using Npgsql;
using Payments.Domain;
using Payments.Domain.Idempotency;
using Payments.Domain.Ledger;
using Payments.Domain.Payouts;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Postgres.Tests.Payouts;

public sealed class SubmissionTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static int _runs;

    [Fact]
    public async Task HandleAsync_Payout_ReachesTheBankOnceUnderFaults()
    {
        using var world = new PayoutWorld(database.App);
        var payout = await PendingAsync(world, 1_234);

        // The request is lost, then its answer twice: nobody knows, so the message comes again.
        world.Bank.Fails = call => call switch { 0 => false, 1 or 2 => true, _ => null };
        for (var i = 0; i < 3; i++)
        {
            await Assert.ThrowsAsync<BankAnswerUnknownException>(() => world.Submit.HandleAsync(payout.Merchant, payout.Id, default));
        }

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => world.Submit.HandleAsync(payout.Merchant, payout.Id, default)));
        var sent = (await world.Reads.GetAsync(payout.Merchant, payout.Id, default))!;
        Assert.Equal((PayoutStatus.InTransit, "pyo_0"), (sent.Status, sent.ProviderReference));
        Assert.Equal([(payout.Reference, 1_234L)], world.Bank.Paid.Select(p => (p.Key, p.Value)));
        var calls = world.Bank.Calls;
        await world.Submit.HandleAsync(payout.Merchant, payout.Id, default);
        Assert.Equal(calls, world.Bank.Calls);
        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task SweepAsync_MessageLost_SubmitsLater()
    {
        using var world = new PayoutWorld(database.App);
        var payout = await PendingAsync(world, 10);
        await world.Submit.SweepAsync(100, default);
        Assert.Equal(PayoutStatus.Pending, (await world.Reads.GetAsync(payout.Merchant, payout.Id, default))!.Status);
        world.Clock.Now += world.Options.ResubmitAfter + TimeSpan.FromSeconds(1);
        await world.Submit.SweepAsync(100, default);
        Assert.Equal(PayoutStatus.InTransit, (await world.Reads.GetAsync(payout.Merchant, payout.Id, default))!.Status);
    }

    [Fact]
    public async Task HandleAsync_BankRefuses_FailsAndGivesTheMoneyBack()
    {
        using var world = new PayoutWorld(database.App);
        var payout = await PendingAsync(world, 500);
        world.Bank.Refuses = HttpStatusCode.BadRequest;
        await world.Submit.HandleAsync(payout.Merchant, payout.Id, default);
        var failed = (await world.Reads.GetAsync(payout.Merchant, payout.Id, default))!;
        Assert.Equal((PayoutStatus.Failed, "invalid_account_number"), (failed.Status, failed.FailureCode));
        Assert.Equal(500, await world.BalanceAsync(ChartOfAccounts.MerchantAvailable(payout.Merchant, Currency.Eur)));

        // The account is at fault: nothing goes there until the merchant gives another.
        Assert.Equal("bank_account_errored", (await world.PreviewAsync(payout.Merchant, Currency.Eur)).Reason);
        await world.AccountAsync(payout.Merchant, Currency.Eur, 77);
        world.Clock.Now += world.Options.CoolingPeriod;
        Assert.Equal((null, 500L), (await world.PreviewAsync(payout.Merchant, Currency.Eur) is var p ? (p.Reason, p.Amount) : default));
        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task ApplyAsync_PaidThenReturned_ReversesOnceAndTheNextRunPaysAgain()
    {
        using var world = new PayoutWorld(database.App);
        var payout = await PendingAsync(world, 800);
        var bank = await world.BalanceAsync(ChartOfAccounts.BankSettlement(Currency.Eur));

        // Paid comes before anyone said in transit, and everything comes twice.
        foreach (var (type, code, expected) in new[]
        {
            ("paid", null, ApplyOutcome.Applied), ("paid", null, ApplyOutcome.Ignored), ("in_transit", null, ApplyOutcome.Ignored),
            ("returned", "could_not_process", ApplyOutcome.Applied), ("failed", "could_not_process", ApplyOutcome.Ignored), ("paid", null, ApplyOutcome.Ignored),
        })
        {
            if (type == "returned")
            {
                Assert.Equal(bank - 800, await world.BalanceAsync(ChartOfAccounts.BankSettlement(Currency.Eur)));
                Assert.Equal(0, await world.BalanceAsync(ChartOfAccounts.MerchantInTransit(payout.Merchant, Currency.Eur)));
            }

            var news = new SandboxPayoutEvents().Map(Event($"payout.{type}"), Payload(payout, code))!;
            Assert.Equal(expected, (await world.News.ApplyAsync(news, default)).Outcome);
            await world.AssertSoundAsync();
        }

        Assert.Equal(bank, await world.BalanceAsync(ChartOfAccounts.BankSettlement(Currency.Eur)));
        Assert.Equal(
            ["payout.created", "payout.paid", "payout.returned"],
            await EventsAsync(world, payout));
        await world.Run.RunAsync(PayoutWorld.Today.AddDays(1000 + Interlocked.Increment(ref _runs)), Currency.Eur, "test", default);
        Assert.Equal([800L, 800L], (await world.PayoutsAsync(payout.Merchant)).Select(p => p.Amount.MinorUnits));
        await world.AssertSoundAsync();
    }

    /// <summary>
    /// "Paid" after "failed" is either an event that was overtaken, or money that the bank moved and the merchant has back. The bank knows; until it answers, the event waits.
    /// </summary>
    [Theory]
    [InlineData("paid", ApplyOutcome.Failed)]
    [InlineData("in_transit", ApplyOutcome.Failed)]
    [InlineData("failed", ApplyOutcome.Ignored)]
    [InlineData("returned", ApplyOutcome.Ignored)]
    [InlineData(null, ApplyOutcome.Waiting)]
    public async Task ApplyAsync_PaidAfterFailed_IsDecidedByTheBank(string? atTheBank, ApplyOutcome expected)
    {
        using var world = new PayoutWorld(database.App);
        var payout = await PendingAsync(world, 800);
        await world.Submit.HandleAsync(payout.Merchant, payout.Id, default);
        (world.Bank.Status, world.Bank.Silent) = (atTheBank ?? "paid", atTheBank is null);

        Assert.Equal(ApplyOutcome.Applied, await SayAsync("failed", "could_not_process"));
        Assert.Equal(ApplyOutcome.Ignored, await SayAsync("failed", "could_not_process"));
        Assert.Equal(expected, await SayAsync("paid", null));

        Assert.Equal(PayoutStatus.Failed, (await world.Reads.GetAsync(payout.Merchant, payout.Id, default))!.Status);
        await world.AssertSoundAsync();

        async Task<ApplyOutcome> SayAsync(string said, string? code) =>
            (await world.News.ApplyAsync(new SandboxPayoutEvents().Map(Event($"payout.{said}"), Payload(payout, code))!, default)).Outcome;
    }

    /// <summary>The sandbox bank's secret must not end a payout that went to a real bank by file.</summary>
    [Fact]
    public async Task ApplyAsync_SandboxBankSpeaksOfAPayoutByFile_ChangesNothing()
    {
        using var world = new PayoutWorld(database.App);
        var payout = await PendingAsync(world, 800);
        await world.CountAsync(
            "WITH u AS (UPDATE payments.payouts SET rail = 'file' WHERE merchant_id = @merchant RETURNING 1) SELECT count(*) FROM u",
            new { merchant = payout.Merchant.Value });

        var result = await world.News.ApplyAsync(
            new SandboxPayoutEvents().Map(Event("payout.failed"), Payload(payout, "could_not_process"))!, default);

        Assert.Equal(ApplyOutcome.Failed, result.Outcome);
        Assert.Equal(PayoutStatus.Pending, (await world.Reads.GetAsync(payout.Merchant, payout.Id, default))!.Status);
    }

    [Fact]
    public async Task CreateAsync_WithoutABank_IsRefusedAndMovesNothing()
    {
        using var world = new PayoutWorld(database.App, o => o.HasBankApi = false);
        var merchant = await world.MerchantAsync();
        await world.EarnAsync(merchant, 800);

        var answer = await world.Manual.CreateAsync(
            Request(merchant, "no-bank"), new CreatePayoutRequest(null, "EUR", null), "test", default);

        Assert.False(answer.TryGet(out _, out var refusal));
        Assert.Equal(RefusalCode.StateConflict, refusal.Code);
        Assert.Empty(await world.PayoutsAsync(merchant));
        Assert.Equal(800, await world.BalanceAsync(ChartOfAccounts.MerchantAvailable(merchant, Currency.Eur)));
    }

    [Fact]
    public async Task CreatePayouts_OfAnAccountOfTheOtherMode_IsRefusedByTheDatabase()
    {
        using var world = new PayoutWorld(database.App);
        var run = await world.Run.StartAsync(
            PayoutWorld.Today.AddDays(1000 + Interlocked.Increment(ref _runs)), Currency.Eur, "test", default);
        var test = PrefixedId.New<MerchantId>(world.Clock.Now).In(Mode.Test);

        var refused = await Assert.ThrowsAsync<PostgresException>(() => world.CountAsync(
            """
            SELECT cardinality(payments.create_payouts(
                @run, 'EUR', 'sandbox', 'standard', '2026-03-02', '2026-03-03', @now,
                ARRAY[payments.bucket_of(@merchant)], ARRAY[@merchant],
                ARRAY[gen_random_uuid()], ARRAY[100::bigint], ARRAY[0::bigint], ARRAY[gen_random_uuid()], ARRAY[NULL::integer],
                ARRAY[gen_random_uuid()], ARRAY[gen_random_uuid()]))::bigint
            """,
            new { run = run.Id.Value, merchant = test.Value, now = world.Clock.Now }));

        Assert.Equal("PO002", refused.SqlState);
    }

    [Fact]
    public async Task ApplyAsync_AnotherAmountOrPayout_ChangesNothing()
    {
        using var world = new PayoutWorld(database.App);
        var payout = await PendingAsync(world, 800);
        Assert.Equal(PayoutWordEffect.AmountDiffers, await world.SayAsync(payout, PayoutStatus.Paid, amount: new Money(801, Currency.Eur)));
        Assert.Equal(PayoutWordEffect.UnknownPayout, await world.SayAsync(payout with { Id = PrefixedId.New<PayoutId>(world.Clock.Now) }, PayoutStatus.Paid));
        Assert.Equal(PayoutWordEffect.UnknownPayout, await world.SayAsync(payout with { Merchant = new MerchantId(Guid.CreateVersion7(world.Clock.Now)) }, PayoutStatus.Paid));
        Assert.Equal(PayoutStatus.Pending, (await world.Reads.GetAsync(payout.Merchant, payout.Id, default))!.Status);
    }

    [Fact]
    public async Task CreateAsync_ManualPayout_PaysWhatWasAskedAndRepeatsItsAnswer()
    {
        using var world = new PayoutWorld(database.App);
        var merchant = await world.MerchantAsync();
        await world.EarnAsync(merchant, 1_000);
        var request = Request(merchant, "key-1");
        var first = await world.Manual.CreateAsync(request, new CreatePayoutRequest(400, "EUR", "instant"), "test", default);
        var again = await world.Manual.CreateAsync(request, new CreatePayoutRequest(400, "EUR", "instant"), "test", default);
        Assert.True(first.TryGet(out var response, out _) && again.TryGet(out var repeated, out _) && repeated.Replayed && repeated.Body.SequenceEqual(response.Body));
        Assert.Equal(400, Assert.Single(await world.PayoutsAsync(merchant)).Amount.MinorUnits);
        Assert.Equal(600, await world.BalanceAsync(ChartOfAccounts.MerchantAvailable(merchant, Currency.Eur)));

        Assert.False((await world.Manual.CreateAsync(Request(merchant, "key-2"), new CreatePayoutRequest(601, "EUR", null), "test", default)).TryGet(out _, out var refusal));
        Assert.Equal(RefusalCode.AmountTooLarge, refusal.Code);
        Assert.True((await world.Manual.CreateAsync(Request(merchant, "key-3"), new CreatePayoutRequest(null, "EUR", null), "test", default)).TryGet(out _, out _));
        Assert.Equal(0, await world.BalanceAsync(ChartOfAccounts.MerchantAvailable(merchant, Currency.Eur)));
        await world.AssertSoundAsync();
    }

    /// <summary>A request overrides the schedule, and nothing that speaks against the account.</summary>
    [Theory]
    [InlineData("unverified")]
    [InlineData("cooling")]
    [InlineData("errored")]
    public async Task CreateAsync_BankAccountIsNotUsable_IsRefusedAndMovesNothing(string state)
    {
        using var world = new PayoutWorld(database.App);
        var merchant = await world.MerchantAsync(withAccount: state != "unverified");
        await world.EarnAsync(merchant, 500);
        switch (state)
        {
            case "unverified":
                await world.Settings.SetAccountAsync(merchant, Currency.Eur, PayoutWorld.AccountRequest(Currency.Eur, 1, verified: null),
                    platform: false, "test", default);
                break;
            case "cooling":
                await world.AccountAsync(merchant, Currency.Eur, number: 2);
                break;
            default:
                await world.Run.RunAsync(PayoutWorld.Today.AddDays(1000 + Interlocked.Increment(ref _runs)), Currency.Eur, "test", default);
                await world.SayAsync(Assert.Single(await world.PayoutsAsync(merchant)), PayoutStatus.Returned, "account_closed");
                break;
        }

        var before = (await world.PayoutsAsync(merchant)).Count;
        foreach (var method in (string?[])[null, "instant"])
        {
            Assert.False((await world.Manual.CreateAsync(Request(merchant, $"{state}-{method}"),
                new CreatePayoutRequest(null, "EUR", method), "test", default)).TryGet(out _, out var refusal));
            Assert.Equal(RefusalCode.StateConflict, refusal.Code);
        }

        Assert.Equal((before, 500L), ((await world.PayoutsAsync(merchant)).Count,
            await world.BalanceAsync(ChartOfAccounts.MerchantAvailable(merchant, Currency.Eur))));
    }

    [Fact]
    public async Task CreateAsync_ManyAtOnceAndTheRun_PayNoCentTwice()
    {
        using var world = new PayoutWorld(database.App);
        var merchant = await world.MerchantAsync();
        await world.EarnAsync(merchant, 1_000);
        await world.EarnAsync(merchant, 1);
        var run = world.Run.RunAsync(PayoutWorld.Today.AddDays(1000 + Interlocked.Increment(ref _runs)), Currency.Eur, "test", default);
        await Task.WhenAll([run, .. Enumerable.Range(0, 6).Select(i => Task.Run(async () =>
            await world.Manual.CreateAsync(Request(merchant, $"race-{i}"), new CreatePayoutRequest(300, "EUR", null), "test", default)))]);
        var paid = (await world.PayoutsAsync(merchant)).Sum(p => p.Amount.MinorUnits);
        Assert.Equal(1_001, paid + await world.BalanceAsync(ChartOfAccounts.MerchantAvailable(merchant, Currency.Eur)));
        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task CancelAsync_BeforeSubmission_GivesTheMoneyBackAndTheBankNeverHearsOfIt()
    {
        using var world = new PayoutWorld(database.App);
        var payout = await PendingAsync(world, 300);
        Assert.True((await world.Manual.CancelAsync(Request(payout.Merchant, "cancel-1"), payout.Id, "test", default)).TryGet(out _, out _));
        await world.Submit.HandleAsync(payout.Merchant, payout.Id, default);
        Assert.Empty(world.Bank.Paid);
        Assert.Equal(300, await world.BalanceAsync(ChartOfAccounts.MerchantAvailable(payout.Merchant, Currency.Eur)));
        Assert.Equal(["payout.created", "payout.canceled"], await EventsAsync(world, payout));
        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task CancelAsync_SubmissionBegan_IsRefused()
    {
        using var world = new PayoutWorld(database.App);
        var payout = await PendingAsync(world, 300);
        world.Bank.Fails = _ => true;
        await Assert.ThrowsAsync<BankAnswerUnknownException>(() => world.Submit.HandleAsync(payout.Merchant, payout.Id, default));
        Assert.False((await world.Manual.CancelAsync(Request(payout.Merchant, "cancel-2"), payout.Id, "test", default)).TryGet(out _, out var refusal));
        Assert.Equal(RefusalCode.StateConflict, refusal.Code);
    }

    internal static IdempotentRequest Request(MerchantId merchant, string key) =>
        IdempotencyKey.Read(key).TryGet(out var value, out _) ? new IdempotentRequest(merchant, value, new byte[32]) : throw new InvalidOperationException(key);

    private static async Task<Payout> PendingAsync(PayoutWorld world, long amount)
    {
        var merchant = await world.MerchantAsync();
        await world.EarnAsync(merchant, amount);
        await world.Run.RunAsync(PayoutWorld.Today.AddDays(1000 + Interlocked.Increment(ref _runs)), Currency.Eur, "test", default);
        return Assert.Single(await world.PayoutsAsync(merchant));
    }

    private static async Task<IReadOnlyList<string>> EventsAsync(PayoutWorld world, Payout payout)
    {
        await using var command = world.Database.CreateCommand("SELECT type FROM payments.events WHERE merchant_id = $1 AND object_id = $2 ORDER BY sequence");
        command.Parameters.Add(new() { Value = payout.Merchant.Value });
        command.Parameters.Add(new() { Value = payout.Id.Value });
        await using var reader = await command.ExecuteReaderAsync();
        var types = new List<string>();
        while (await reader.ReadAsync())
        {
            types.Add(reader.GetString(0));
        }

        return types;
    }

    private static ProviderEvent Event(string type) =>
        new(Guid.CreateVersion7(PayoutWorld.Friday), "sandbox", "aevt_1", type, ProviderEventStatus.Received, 0, null, null, PayoutWorld.Friday, null);

    private static JsonElement Payload(Payout payout, string? code) => JsonElement.Parse(JsonSerializer.Serialize(new
    {
        data = new { id = "pyo_1", reference = payout.Reference, amount = payout.Amount.MinorUnits, currency = "EUR", failure_code = code },
    }));
}
