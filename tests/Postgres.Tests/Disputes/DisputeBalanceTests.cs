using Microsoft.Extensions.Logging.Abstractions;
using Payments.Domain;
using Payments.Domain.Disputes;
using Payments.Domain.Ledger;
using Payments.Domain.Messaging;
using Payments.Postgres.Tests.Payouts;

namespace Payments.Postgres.Tests.Disputes;

/// <summary>What disputes do to what a merchant is paid.</summary>
public sealed class DisputeBalanceTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    [Fact]
    public async Task Lost_MoneyAlreadyPaidOut_IsRecoveredFromLaterFunds()
    {
        using var world = new PayoutWorld(database.App);
        var (merchant, charge) = (await world.MerchantAsync(), "bal_lost");
        await world.EarnAsync(merchant, 10_000);
        await world.Run.RunAsync(PayoutWorld.Today, Currency.Eur, "test", default);
        Assert.Equal(10_000, Assert.Single(await world.PayoutsAsync(merchant)).Amount.MinorUnits);

        await ChargeAsync(world, merchant, charge);
        var ingestion = new DisputeIngestion(database.App, world.Ledger, new OutboxSignal(), world.Clock, NullLogger<DisputeIngestion>.Instance);
        await ingestion.IngestAsync([DisputeWorld.Update(charge, DisputeStatus.NeedsResponse), DisputeWorld.Update(charge, DisputeStatus.Lost, day: 9)], default);
        Assert.Equal(-11_500, await AvailableAsync(world, merchant));
        Assert.Equal("negative_balance", (await world.PreviewAsync(merchant, Currency.Eur)).Reason);
        await world.Run.RunAsync(PayoutWorld.Today.AddDays(7), Currency.Eur, "test", default);
        Assert.Single(await world.PayoutsAsync(merchant));

        // What comes in first fills the hole, and only the rest is paid.
        await world.EarnAsync(merchant, 8_000, PayoutWorld.Today);
        await world.Release.RunAsync(default);
        Assert.Equal(-3_500, await AvailableAsync(world, merchant));
        await world.EarnAsync(merchant, 5_000, PayoutWorld.Today);
        await world.Release.RunAsync(default);
        await world.Run.RunAsync(PayoutWorld.Today.AddDays(14), Currency.Eur, "test", default);
        Assert.Equal([1_500, 10_000], (await world.PayoutsAsync(merchant)).Select(payout => payout.Amount.MinorUnits).Order());
        Assert.Equal(0, await AvailableAsync(world, merchant));
        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task Won_AfterTheBalanceWasNegative_IsPaidOutWhole()
    {
        using var world = new PayoutWorld(database.App);
        var (merchant, charge) = (await world.MerchantAsync(), "bal_won");
        await ChargeAsync(world, merchant, charge);
        var ingestion = new DisputeIngestion(database.App, world.Ledger, new OutboxSignal(), world.Clock, NullLogger<DisputeIngestion>.Instance);
        await ingestion.IngestAsync([DisputeWorld.Update(charge, DisputeStatus.NeedsResponse)], default);
        Assert.Equal(-11_500, await AvailableAsync(world, merchant));
        await ingestion.IngestAsync([DisputeWorld.Update(charge, DisputeStatus.Won, day: 9)], default);
        Assert.Equal(0, await AvailableAsync(world, merchant));
        Assert.Equal(0, await world.BalanceAsync(ChartOfAccounts.MerchantDisputed(merchant, Currency.Eur)));
        await world.AssertSoundAsync();
    }

    private static Task<long> AvailableAsync(PayoutWorld world, MerchantId merchant) => world.BalanceAsync(ChartOfAccounts.MerchantAvailable(merchant, Currency.Eur));

    private static Task<long> ChargeAsync(PayoutWorld world, MerchantId merchant, string reference) => world.CountAsync(
        """
        WITH made AS (
            INSERT INTO payments.charges (bucket, merchant_id, id, status, currency, amount, capture_method, authorized_amount,
                captured_amount, payment_token, provider,
                provider_reference, metadata, created_at, updated_at)
            VALUES (payments.bucket_of(@merchant), @merchant, @id, 'captured', 'EUR', 10000, 'automatic', 10000, 10000, 'tok_visa',
                'sandbox', @reference, '{}', @now, @now)
            RETURNING 1)
        SELECT count(*) FROM made
        """,
        new { merchant = merchant.Value, id = Guid.CreateVersion7(world.Clock.Now), reference, now = world.Clock.Now });
}
