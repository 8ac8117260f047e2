using Payments.Domain;
using Payments.Domain.Ledger;
using Payments.Domain.Payouts;

namespace Payments.Postgres.Tests.Payouts;

public sealed class RunTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    // Each test runs another date, so that their runs are not one run.
    private static DateOnly Date(int test) => PayoutWorld.Today.AddDays(7 * test);

    [Fact]
    public async Task RunAsync_MerchantsWithMoney_ArePaidAllOfItOnce()
    {
        using var world = new PayoutWorld(database.App);
        var merchants = new List<MerchantId>();
        for (var i = 1; i <= 8; i++)
        {
            var merchant = await world.MerchantAsync();
            await world.EarnAsync(merchant, 100 * i);
            await world.EarnAsync(merchant, -10);
            merchants.Add(merchant);
        }

        var run = await world.Run.RunAsync(Date(20), Currency.Eur, "test", default);
        Assert.Equal(PayoutRunStatus.Submitted, run.Status);
        Assert.True(run.Payouts >= 8 && run.Amount >= 3_520, $"{run.Payouts} payouts of {run.Amount}");
        for (var i = 1; i <= 8; i++)
        {
            var payout = Assert.Single(await world.PayoutsAsync(merchants[i - 1]));
            Assert.Equal((PayoutStatus.Pending, (100 * i) - 10L), (payout.Status, payout.Amount.MinorUnits));
            var lines = await world.Reads.CompositionAsync(payout.Merchant, payout.Id, 100, null, default);
            Assert.Equal(["charge", "payout", "refund"], lines.Select(l => l.Type).Order());
            Assert.Equal(0, lines.Sum(l => l.Net));
            Assert.Equal(0, await world.BalanceAsync(ChartOfAccounts.MerchantAvailable(payout.Merchant, Currency.Eur)));
            Assert.Equal(payout.Amount.MinorUnits, await world.BalanceAsync(ChartOfAccounts.MerchantInTransit(payout.Merchant, Currency.Eur)));
        }

        Assert.Equal(8, await world.CountAsync("SELECT count(*) FROM payments.outbox WHERE queue = 'payout-submissions' AND (body->>'merchant')::uuid = ANY (@ids)", new { ids = merchants.Select(m => m.Value).ToArray() }));
        Assert.Equal(8, await world.CountAsync("SELECT count(*) FROM payments.events WHERE type = 'payout.created' AND merchant_id = ANY (@ids)", new { ids = merchants.Select(m => m.Value).ToArray() }));

        // Money that comes after the run waits for the next one, however often this one is started.
        await world.EarnAsync(merchants[0], 500);
        var again = await world.Run.RunAsync(Date(20), Currency.Eur, "operator", default);
        Assert.Equal(run with { StartedBy = "test" }, again);
        Assert.Single(await world.PayoutsAsync(merchants[0]));
        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task RunAsync_SeveralInstancesAtOnce_PayEachMerchantOnce()
    {
        using var world = new PayoutWorld(database.App);
        var merchants = new List<MerchantId>();
        for (var i = 0; i < 20; i++)
        {
            merchants.Add(await world.MerchantAsync());
            await world.EarnAsync(merchants[i], 1_000 + i);
        }

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => world.Run.RunAsync(Date(1), Currency.Eur, "test", default))));
        var run = await world.Run.RunAsync(Date(1), Currency.Eur, "test", default);
        Assert.Equal(PayoutRunStatus.Submitted, run.Status);
        foreach (var merchant in merchants)
        {
            Assert.Single(await world.PayoutsAsync(merchant));
        }

        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task CreateChunkAsync_CutOffAfterEveryChunk_GoesOnWhereItStood()
    {
        using var world = new PayoutWorld(database.App, o => o.ChunkSize = 2);
        var merchants = new List<MerchantId>();
        for (var i = 0; i < 7; i++)
        {
            merchants.Add(await world.MerchantAsync());
            await world.EarnAsync(merchants[i], 50 + i);
        }

        // A process that dies between chunks leaves the run as it is; the next one is another process.
        await world.Run.StartAsync(Date(2), Currency.Eur, "test", default);
        var chunks = 0;
        while ((await world.Run.GetAsync(Date(2), Currency.Eur, default))!.Status == PayoutRunStatus.Creating)
        {
            var id = (await world.Run.GetAsync(Date(2), Currency.Eur, default))!.Id;
            await world.Run.CreateChunkAsync(id, (await world.Run.OpenLanesAsync(id, default))[^1], default);
            chunks++;
            await world.AssertSoundAsync();
        }

        Assert.True(chunks >= 4, $"{chunks} chunks");
        await world.Run.RunDueAsync(default);
        Assert.Equal(PayoutRunStatus.Submitted, (await world.Run.GetAsync(Date(2), Currency.Eur, default))!.Status);
        foreach (var merchant in merchants)
        {
            Assert.Single(await world.PayoutsAsync(merchant));
        }
    }

    [Fact]
    public async Task RunAsync_ObstaclesOfAllKinds_LeaveTheMoneyAndTellTheReason()
    {
        using var world = new PayoutWorld(database.App);
        var cases = new Dictionary<string, MerchantId>();
        async Task Case(string reason, long amount, Func<MerchantId, Task>? prepare = null, bool account = true)
        {
            var merchant = await world.MerchantAsync(withAccount: account);
            if (amount != 0)
            {
                await world.EarnAsync(merchant, amount);
            }

            if (prepare is not null)
            {
                await prepare(merchant);
            }

            cases.Add(reason, merchant);
        }

        await Case("held", 100, m => world.Settings.HoldAsync(m, Currency.Eur, "Chargebacks are rising.", "op", default));
        await Case("no_bank_account", 100, m => world.Settings.ChangeAsync(m, Currency.Eur, new(null, null, 5, null, null), true, "op", default), account: false);
        await Case("negative_balance", -100);
        await Case("nothing_available", 0);
        await Case("below_minimum", 100, m => world.Settings.ChangeAsync(m, Currency.Eur, new(null, null, 101, null, null), false, "op", default));
        await Case("kept_in_reserve", 100, m => world.Settings.ChangeAsync(m, Currency.Eur, new(null, null, null, null, new(null, null, 100)), true, "op", default));
        await Case("manual_schedule", 100, m => world.Settings.ChangeAsync(m, Currency.Eur, new(new("manual", null, null), null, null, null, null), false, "op", default));
        await Case("bank_account_cooling", 100, m => world.AccountAsync(m, Currency.Eur, 2));
        await world.Run.RunAsync(Date(3).AddDays(1), Currency.Eur, "test", default);
        foreach (var (reason, merchant) in cases)
        {
            Assert.Empty(await world.PayoutsAsync(merchant));
            var preview = await world.PreviewAsync(merchant, Currency.Eur);
            Assert.Equal((reason, 0L), (preview.Reason, preview.Amount));
        }

        Assert.Equal("Chargebacks are rising.", (await world.PreviewAsync(cases["held"], Currency.Eur)).HoldReason);
        await world.AssertSoundAsync();

        // What stood in the way is gone: the next run pays.
        await world.Settings.HoldAsync(cases["held"], Currency.Eur, null, "op", default);
        await world.EarnAsync(cases["negative_balance"], 150);
        await world.EarnAsync(cases["below_minimum"], 1);
        world.Clock.Now += world.Options.CoolingPeriod;
        foreach (var (reason, amount) in new[] { ("held", 100), ("negative_balance", 50), ("below_minimum", 101), ("bank_account_cooling", 100) })
        {
            Assert.Equal((null, (long)amount), (await world.PreviewAsync(cases[reason], Currency.Eur) is var p ? (p.Reason, p.Amount)
                : default));
        }

        await world.Run.RunAsync(Date(4).AddDays(1), Currency.Eur, "test", default);
        foreach (var (reason, amount) in new[] { ("held", 100), ("negative_balance", 50), ("below_minimum", 101), ("bank_account_cooling", 100) })
        {
            Assert.Equal(amount, Assert.Single(await world.PayoutsAsync(cases[reason])).Amount.MinorUnits);
        }

        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task RunAsync_MaximumAndReserves_CarryOverAndComeBack()
    {
        using var world = new PayoutWorld(database.App);
        var merchant = await world.MerchantAsync();
        await world.Settings.ChangeAsync(merchant, Currency.Eur, new(null, null, null, 500, new(1_000, 30, 50)), true, "op", default);
        await world.EarnAsync(merchant, 1_000);

        // 1000: 100 to the rolling reserve, 500 paid, 400 stays (50 of it for good).
        await world.Run.RunAsync(Date(5), Currency.Eur, "test", default);
        var first = Assert.Single(await world.PayoutsAsync(merchant));
        Assert.Equal(500, first.Amount.MinorUnits);
        Assert.Equal(400, await world.BalanceAsync(ChartOfAccounts.MerchantAvailable(merchant, Currency.Eur)));
        Assert.Equal(100, await world.BalanceAsync(ChartOfAccounts.MerchantReserve(merchant, Currency.Eur)));
        await world.AssertSoundAsync();

        world.Clock.Now += TimeSpan.FromDays(7);

        // What was carried over is no new income: nothing more is reserved of it.
        await world.Run.RunAsync(Date(6), Currency.Eur, "test", default);
        Assert.Equal([350, 500], (await world.PayoutsAsync(merchant)).Select(p => p.Amount.MinorUnits));
        Assert.Equal(50, await world.BalanceAsync(ChartOfAccounts.MerchantAvailable(merchant, Currency.Eur)));

        world.Clock.Now = new DateTimeOffset(Date(5).AddDays(30).ToDateTime(new TimeOnly(12, 0)), TimeSpan.Zero);
        await world.Release.RunAsync(default);
        Assert.Equal(0, await world.BalanceAsync(ChartOfAccounts.MerchantReserve(merchant, Currency.Eur)));
        Assert.Equal(150, await world.BalanceAsync(ChartOfAccounts.MerchantAvailable(merchant, Currency.Eur)));
        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task RunAsync_WeeklyScheduleAndMissedNight_PaysWheneverTheRunComes()
    {
        using var world = new PayoutWorld(database.App);
        var merchant = await world.MerchantAsync();
        await world.Settings.ChangeAsync(merchant, Currency.Eur, new(new("weekly", "monday", null), null, null, null, null), false, "op", default);
        await world.EarnAsync(merchant, 100);

        // Stated on Friday 20 November, so due on Monday 23.
        await world.Run.RunAsync(new DateOnly(2026, 11, 22), Currency.Eur, "test", default);
        Assert.Empty(await world.PayoutsAsync(merchant));

        // Monday's and Tuesday's runs never came.
        await world.Run.RunAsync(new DateOnly(2026, 11, 25), Currency.Eur, "test", default);
        Assert.Single(await world.PayoutsAsync(merchant));
        await world.EarnAsync(merchant, 100);
        await world.Run.RunAsync(new DateOnly(2026, 11, 26), Currency.Eur, "test", default);
        Assert.Single(await world.PayoutsAsync(merchant));
        await world.Run.RunAsync(new DateOnly(2026, 11, 30), Currency.Eur, "test", default);
        Assert.Equal(2, (await world.PayoutsAsync(merchant)).Count);
    }

    [Fact]
    public async Task RunDueAsync_ClockThatJumps_PaysEachCentOnce()
    {
        using var world = new PayoutWorld(database.App);
        var merchant = await world.MerchantAsync(Currency.Usd);
        var earned = 0L;
        foreach (var hours in new[] { 24 * 400, 24 * 402, 24 * 401, 24 * 400, (24 * 407) + 3, 24 * 300, 24 * 410 })
        {
            world.Clock.Now = PayoutWorld.Friday.AddHours(hours);
            await world.EarnAsync(merchant, hours, currency: Currency.Usd);
            earned += hours;
            await world.Release.RunAsync(default);
            await world.Run.RunDueAsync(default);
            await world.Run.RunDueAsync(default);
        }

        var payouts = await world.PayoutsAsync(merchant);
        var left = await world.BalanceAsync(ChartOfAccounts.MerchantAvailable(merchant, Currency.Usd));
        Assert.Equal(earned, payouts.Sum(p => p.Amount.MinorUnits) + left);
        Assert.True(payouts.Count >= 3, $"{payouts.Count} payouts");
        await world.AssertSoundAsync();
    }
}
