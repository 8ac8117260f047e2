using Dapper;
using Payments.Domain;
using Payments.Domain.Ledger;

namespace Payments.Postgres.Tests.Payouts;

public sealed class ReleaseTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    [Fact]
    public async Task RunAsync_DueRows_AreReleasedOnceAndMoved()
    {
        using var world = new PayoutWorld(database.App);
        var merchant = await world.MerchantAsync();
        await world.EarnAsync(merchant, 700, PayoutWorld.Today.AddDays(-3));
        await world.EarnAsync(merchant, 300, PayoutWorld.Today);
        await world.EarnAsync(merchant, 90, PayoutWorld.Today.AddDays(1));

        Assert.Equal(2, await world.Release.RunAsync(default));
        Assert.Equal(0, await world.Release.RunAsync(default));

        Assert.Equal(1_000, await world.BalanceAsync(ChartOfAccounts.MerchantAvailable(merchant, Currency.Eur)));
        Assert.Equal(90, await world.BalanceAsync(ChartOfAccounts.MerchantPending(merchant, Currency.Eur)));
        Assert.Equal(1, await world.CountAsync("SELECT count(*) FROM payments.events WHERE merchant_id = @id AND type = 'balance.available' AND (data->>'amount')::bigint = 1000", new { id = merchant.Value }));
        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task RunAsync_RefundsOutweigh_MovesTheOtherWay()
    {
        using var world = new PayoutWorld(database.App);
        var merchant = await world.MerchantAsync();
        await world.EarnAsync(merchant, 100, PayoutWorld.Today.AddDays(5));
        await world.EarnAsync(merchant, -250, PayoutWorld.Today);
        await world.Release.RunAsync(default);
        Assert.Equal(-250, await world.BalanceAsync(ChartOfAccounts.MerchantAvailable(merchant, Currency.Eur)));
        Assert.Equal(100, await world.BalanceAsync(ChartOfAccounts.MerchantPending(merchant, Currency.Eur)));
        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task RunAsync_EachCurrency_CountsByItsOwnDate()
    {
        using var world = new PayoutWorld(database.App);
        var merchant = await world.MerchantAsync();
        await world.EarnAsync(merchant, 1, new DateOnly(2026, 11, 21), Currency.Eur);
        await world.EarnAsync(merchant, 2, new DateOnly(2026, 11, 21), Currency.Usd);

        // Half past midnight on the 21st in Frankfurt is still the 20th in New York.
        world.Clock.Now = new DateTimeOffset(2026, 11, 20, 23, 30, 0, TimeSpan.Zero);
        await world.Release.RunAsync(default);
        Assert.Equal(1, await world.BalanceAsync(ChartOfAccounts.MerchantAvailable(merchant, Currency.Eur)));
        world.Clock.Now = new DateTimeOffset(2026, 11, 21, 5, 0, 0, TimeSpan.Zero);
        await world.Release.RunAsync(default);
        Assert.Equal(2, await world.BalanceAsync(ChartOfAccounts.MerchantAvailable(merchant, Currency.Usd)));
    }

    [Fact]
    public async Task RunAsync_SeveralInstances_ShareTheWork()
    {
        using var world = new PayoutWorld(database.App);
        var merchants = new List<MerchantId>();
        for (var i = 0; i < 5; i++)
        {
            var merchant = await world.MerchantAsync(withAccount: false);
            merchants.Add(merchant);
            for (var j = 0; j < 8; j++)
            {
                await world.EarnAsync(merchant, 10 + j, PayoutWorld.Today);
            }
        }

        var released = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => world.Release.RunAsync(3, default))));
        Assert.Equal(40, released.Sum());
        foreach (var merchant in merchants)
        {
            Assert.Equal(108, await world.BalanceAsync(ChartOfAccounts.MerchantAvailable(merchant, Currency.Eur)));
        }

        await world.AssertSoundAsync();
    }

    /// <summary>Whoever makes a payout holds the batch: what is released meanwhile waits, and goes into the batch that is open afterwards.</summary>
    [Fact]
    public async Task RunAsync_BatchIsBeingTaken_WaitsAndReleasesIntoTheNext()
    {
        using var world = new PayoutWorld(database.App);
        var merchant = await world.MerchantAsync();
        await world.EarnAsync(merchant, 70, PayoutWorld.Today);
        await using var connection = await database.App.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var next = Guid.CreateVersion7(world.Clock.Now);
        await connection.ExecuteAsync("SELECT FROM payments.payout_settings WHERE merchant_id = @id FOR NO KEY UPDATE", new { id = merchant.Value });

        var release = Task.Run(() => world.Release.RunAsync(default));
        var waited = System.Diagnostics.Stopwatch.StartNew();
        while (await world.CountAsync("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == 0)
        {
            Assert.False(release.IsCompleted, "The release did not wait.");
            Assert.True(waited.Elapsed < TimeSpan.FromSeconds(60), "The release never came to the lock.");
            await Task.Delay(20);
        }

        await connection.ExecuteAsync("UPDATE payments.payout_settings SET batch_id = @next WHERE merchant_id = @id", new { id = merchant.Value, next });
        await transaction.CommitAsync();
        await release;
        Assert.Equal(1, await world.CountAsync("SELECT count(*) FROM payments.balance_transactions WHERE merchant_id = @id AND batch_id = @next", new { id = merchant.Value, next }));
        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task RunAsync_WhileRunsPay_EachCentGoesWithOnePayout()
    {
        using var world = new PayoutWorld(database.App, o => o.ChunkSize = 2);
        var merchants = new List<MerchantId>();
        for (var i = 0; i < 6; i++)
        {
            merchants.Add(await world.MerchantAsync());
            for (var j = 0; j < 8; j++)
            {
                await world.EarnAsync(merchants[i], 100 + j, PayoutWorld.Today);
            }
        }

        var releases = Enumerable.Range(0, 2).Select(_ => Task.Run(() => world.Release.RunAsync(3, default))).ToList();
        var date = PayoutWorld.Today.AddDays(400_000);
        do
        {
            date = date.AddDays(1);
            await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => Task.Run(() => world.Run.RunAsync(date, Currency.Eur, "test", default))));
        }
        while (!releases.TrueForAll(r => r.IsCompleted));

        await Task.WhenAll(releases);
        await world.Run.RunAsync(date.AddDays(1), Currency.Eur, "test", default);
        foreach (var merchant in merchants)
        {
            Assert.Equal(828, (await world.PayoutsAsync(merchant)).Sum(p => p.Amount.MinorUnits));
        }

        await world.AssertSoundAsync();
    }
}
