using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Payments.Domain;
using Payments.Domain.Payouts;

namespace Payments.Postgres.Tests.Payouts;

public sealed class ChecksTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    [Fact]
    public async Task RunAsync_RowsAltered_AreNoticedByTheRuleTheyBreak()
    {
        using var world = new PayoutWorld(database.App);
        var checks = new PayoutChecks(database.App, NullLogger<PayoutChecks>.Instance);
        var merchant = await world.MerchantAsync();
        await world.EarnAsync(merchant, 100);
        await world.Run.RunAsync(PayoutWorld.Today, Currency.Eur, "test", default);
        await world.EarnAsync(merchant, 50);
        await world.EarnAsync(merchant, 20, PayoutWorld.Today.AddDays(9));
        Assert.Empty(await checks.RunAsync(default));

        await using var owner = await database.Owner.OpenConnectionAsync();
        foreach (var (statement, undo, rules) in new[]
        {
            ("UPDATE payments.balance_transactions SET amount = amount + 1, net = net + 1 WHERE type = 'charge' AND batch_id IS NOT NULL",
                "UPDATE payments.balance_transactions SET amount = amount - 1, net = net - 1 WHERE type = 'charge' AND batch_id IS NOT NULL", "payout_is_the_sum_of_its_lines"),
            ("UPDATE payments.balance_transactions SET amount = amount + 1, net = net + 1 WHERE released_at IS NOT NULL AND batch_id IS NULL",
                "UPDATE payments.balance_transactions SET amount = amount - 1, net = net - 1 WHERE released_at IS NOT NULL AND batch_id IS NULL", "available_is_the_released_rows_in_no_payout"),
            ("UPDATE payments.balance_transactions SET released_at = created_at WHERE released_at IS NULL",
                "UPDATE payments.balance_transactions SET released_at = NULL WHERE available_on = '2026-11-29'", "available_is_the_released_rows_in_no_payout,pending_is_the_unreleased_rows"),
            ("UPDATE payments.payout_settings s SET batch_id = p.batch_id FROM payments.payouts p WHERE p.merchant_id = s.merchant_id AND p.currency = s.currency",
                "UPDATE payments.payout_settings SET batch_id = gen_random_uuid()", "batch_is_open_or_in_one_payout"),
            ("UPDATE payments.balance_transactions SET batch_id = gen_random_uuid() WHERE released_at IS NOT NULL AND batch_id IS NULL",
                "UPDATE payments.balance_transactions b SET batch_id = NULL WHERE NOT EXISTS (SELECT FROM payments.payouts p WHERE p.batch_id = b.batch_id)", "batch_is_open_or_in_one_payout"),
            ("UPDATE payments.payouts SET status = 'canceled'", "UPDATE payments.payouts SET status = 'pending'", "reversed_payout_is_given_back_once,in_transit_is_the_open_payouts"),
        })
        {
            await owner.ExecuteAsync(statement);
            Assert.Equal(rules, string.Join(',', (await checks.RunAsync(default)).Select(b => b.Rule)));
            await owner.ExecuteAsync(undo);
            Assert.Empty(await checks.RunAsync(default));
        }
    }

    [Fact]
    public async Task RunDueAsync_OneCurrencyFails_TheOthersArePaid()
    {
        using var world = new PayoutWorld(database.App, o => o.Rails["CHF"] = PayoutRail.File);
        var francs = await world.MerchantAsync(Currency.Of("CHF"));
        var euros = await world.MerchantAsync();
        await world.EarnAsync(francs, 100, currency: Currency.Of("CHF"));
        await world.EarnAsync(euros, 100);

        // There is no bank file for CHF.
        world.Clock.Now += TimeSpan.FromDays(3);
        await Assert.ThrowsAsync<AggregateException>(() => world.Run.RunDueAsync(default));
        Assert.Single(await world.PayoutsAsync(euros));
        Assert.Equal(PayoutStatus.Pending, Assert.Single(await world.PayoutsAsync(francs)).Status);
    }
}
