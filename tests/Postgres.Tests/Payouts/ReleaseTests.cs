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
}
