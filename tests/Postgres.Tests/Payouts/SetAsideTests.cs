using Dapper;
using Payments.Domain;
using Payments.Domain.Ledger;
using Payments.Postgres.Tests.Ledger;

namespace Payments.Postgres.Tests.Payouts;

/// <summary>The set-based posting of payouts: what it refuses, and that the ledger it leaves is the one that posting one by one would.</summary>
public sealed class SetAsideTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static readonly Currency Eur = Currency.Eur;

    [Fact]
    public async Task RunAsync_LedgerRefusesSome_PaysTheOthersAndLeavesNoTrace()
    {
        using var world = new PayoutWorld(database.App, o => o.ChunkSize = 100);
        var merchants = new List<MerchantId>();
        for (var i = 0; i < 6; i++)
        {
            merchants.Add(await world.MerchantAsync());
            await world.EarnAsync(merchants[i], 1_000 + i);
        }

        // Two keep a reserve. One has rows that claim more than the ledger holds; one's account for money in transit was closed.
        var (paid, reserving, claiming, closed) = (merchants[0], merchants[1], merchants[2], merchants[3]);
        foreach (var merchant in new[] { reserving, claiming })
        {
            await world.Settings.ChangeAsync(merchant, Eur, new(null, null, null, null, new(1_000, 5, 0)), true, "test", default);
        }

        await world.Ledger.OpenAccountsAsync([(ChartOfAccounts.MerchantInTransit(closed, Eur), closed.Bucket)], world.Clock.Now, default);
        await using var owner = await database.Owner.OpenConnectionAsync();
        const string Claim = "UPDATE payments.balance_transactions SET amount = amount + @more, net = net + @more WHERE merchant_id = @merchant AND type = 'charge'";
        await owner.ExecuteAsync(Claim, new { more = 5_000, merchant = claiming.Value });
        Assert.True(await owner.ExecuteScalarAsync<bool>(
            "SELECT ledger.close_account(a.id) FROM ledger.accounts a WHERE a.name = @name AND a.currency = 'EUR'", new { name = ChartOfAccounts.MerchantInTransit(closed, Eur).Name }));

        var run = await world.Run.RunAsync(PayoutWorld.Today, Eur, "test", default);
        Assert.True(run is { Payouts: >= 4, Refused: >= 2 }, $"{run.Payouts} payouts, {run.Refused} refused");
        await owner.ExecuteAsync(Claim, new { more = -5_000, merchant = claiming.Value });
        Assert.Equal(1_000, Assert.Single(await world.PayoutsAsync(paid)).Amount.MinorUnits);
        Assert.Equal(1_005, Assert.Single(await world.PayoutsAsync(merchants[5])).Amount.MinorUnits);
        Assert.Equal(901, Assert.Single(await world.PayoutsAsync(reserving)).Amount.MinorUnits);
        Assert.Equal(100, await world.BalanceAsync(ChartOfAccounts.MerchantReserve(reserving, Eur)));
        Assert.Empty(await world.PayoutsAsync(claiming));
        Assert.Empty(await world.PayoutsAsync(closed));
        Assert.Equal(1_003, await world.BalanceAsync(ChartOfAccounts.MerchantAvailable(closed, Eur)));
        Assert.Equal(0, await world.BalanceAsync(ChartOfAccounts.MerchantReserve(claiming, Eur)));
        await world.AssertSoundAsync();

        // What was refused is still due and unharmed.
        await world.Run.RunAsync(PayoutWorld.Today.AddDays(3), Eur, "test", default);
        Assert.Equal(902, Assert.Single(await world.PayoutsAsync(claiming)).Amount.MinorUnits);
        await world.AssertSoundAsync();
        await AssertLedgerAsync();
    }

    [Fact]
    public async Task RunAsync_AnotherMachinesClockWasAhead_TimesOfAnAccountNeverGoBack()
    {
        using var world = new PayoutWorld(database.App, o => o.ChunkSize = 100);
        var merchants = new List<MerchantId>();
        for (var i = 0; i < 3; i++)
        {
            merchants.Add(await world.MerchantAsync());
            world.Clock.Now = PayoutWorld.Friday.AddMinutes(i == 1 ? 30 : 0);
            await world.EarnAsync(merchants[i], 500);
        }

        world.Clock.Now = PayoutWorld.Friday;
        await world.Run.RunAsync(PayoutWorld.Today.AddDays(7), Eur, "test", default);
        world.Clock.Now = PayoutWorld.Friday.AddMinutes(10);
        await world.EarnAsync(merchants[0], 600);
        await world.Run.RunAsync(PayoutWorld.Today.AddDays(8), Eur, "test", default);
        Assert.Equal(2, (await world.PayoutsAsync(merchants[0])).Count);
        await AssertLedgerAsync();
    }

    [Fact]
    public async Task PostPayouts_MerchantTwiceInACall_IsRefused()
    {
        using var world = new PayoutWorld(database.App);
        var merchant = await world.MerchantAsync();
        await using var connection = await database.App.OpenConnectionAsync();
        var refused = await Assert.ThrowsAsync<Npgsql.PostgresException>(() => connection.ExecuteAsync(
            "SELECT ledger.post_payouts(ARRAY[@bucket, @bucket]::smallint[], ARRAY[@id, @id], ARRAY['a', 'b'], ARRAY[1, 1]::bigint[], ARRAY[0, 0]::bigint[], 'EUR', @now)",
            new { bucket = merchant.Bucket, id = merchant.Value, now = world.Clock.Now.UtcDateTime }));
        Assert.Equal("LG002", refused.SqlState);
    }

    // A replay of every transfer: versions without gaps, balances that follow from one another, times that never go back.
    private async Task AssertLedgerAsync()
    {
        await database.App.SealAllAsync();
        Assert.Empty((await database.Owner.VerifyAsync()).Findings);
    }
}
