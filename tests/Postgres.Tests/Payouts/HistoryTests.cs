using Dapper;
using Npgsql;
using Payments.Domain;
using Payments.Domain.Balances;
using Payments.Domain.Ledger;
using Payments.Domain.Payouts;

namespace Payments.Postgres.Tests.Payouts;

public sealed class HistoryTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static int _days;

    /// <summary>
    /// Random days of merchants under random terms: money comes and is refunded, runs start several times, banks answer late, twice and contradicting,
    /// the clock goes forward and back. Each cent is in exactly one place throughout.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(10)]
    public async Task History_Random_ConservesEveryCent(int seed)
    {
        var random = new Random(seed);
        using var world = new PayoutWorld(database.App, o =>
        {
            o.ChunkSize = random.Next(1, 4);
            o.Lanes = random.Next(1, 4);
        });
        var currency = random.Next(2) == 0 ? Currency.Eur : Currency.Usd;
        var merchants = new List<MerchantId>();
        var earned = new Dictionary<MerchantId, long>();
        for (var i = 0; i < 4; i++)
        {
            var merchant = await world.MerchantAsync(currency);
            merchants.Add(merchant);
            earned[merchant] = 0;
            var minimum = random.Next(1, 300);
            await world.Settings.ChangeAsync(
                merchant, currency,
                new PayoutSettingsRequest(
                    random.Next(3) == 0 ? new PayoutScheduleRequest("weekly", "wednesday", null) : null, null, minimum, random.Next(2) == 0 ? minimum + random.Next(500) : null,
                    new PayoutReserveRequest(random.Next(2) * random.Next(3_000), random.Next(0, 10), random.Next(2) * random.Next(100))),
                platform: true, "test", default);
        }

        for (var step = 0; step < 60; step++)
        {
            var merchant = merchants[random.Next(merchants.Count)];
            var today = Availability.DueDate(world.Clock.Now, currency);
            switch (random.Next(10))
            {
                case 0 or 1 or 2:
                    var amount = random.Next(1, 1_000);
                    earned[merchant] += amount;
                    await world.EarnAsync(merchant, amount, random.Next(2) == 0 ? null : today.AddDays(random.Next(0, 4)), currency);
                    break;
                case 3:
                    var refund = random.Next(1, 400);
                    earned[merchant] -= refund;
                    await world.EarnAsync(merchant, -refund, random.Next(2) == 0 ? null : today.AddDays(random.Next(0, 4)), currency);
                    break;
                case 4:
                    await world.Release.RunAsync(random.Next(1, 5), default);
                    break;
                case 5:
                    var date = today.AddDays((seed * 1_000) + Interlocked.Increment(ref _days));
                    await Task.WhenAll(Enumerable.Range(0, random.Next(1, 3)).Select(_ => world.Run.RunAsync(date, currency, "test", default)));
                    break;
                case 6 or 7:
                    if (await world.PayoutsAsync(merchant) is { Count: > 0 } payouts)
                    {
                        await world.SayAsync(
                            payouts[random.Next(payouts.Count)], (PayoutStatus)random.Next((int)PayoutStatus.InTransit, (int)PayoutStatus.Canceled), "could_not_process");
                    }

                    break;
                case 8:
                    world.Clock.Now += TimeSpan.FromHours(random.Next(-24, 72));
                    break;
                case 9:
                    await world.Settings.HoldAsync(merchant, currency, random.Next(2) == 0 ? "A look is needed." : null, "test", default);
                    break;
            }
        }

        await world.AssertSoundAsync();
        foreach (var merchant in merchants)
        {
            var paid = (await world.PayoutsAsync(merchant)).Where(p => p.Status == PayoutStatus.Paid).Sum(p => p.Amount.MinorUnits);
            var held = 0L;
            foreach (var account in new[]
            {
                ChartOfAccounts.MerchantPending(merchant, currency), ChartOfAccounts.MerchantAvailable(merchant, currency), ChartOfAccounts.MerchantReserve(merchant, currency),
                ChartOfAccounts.MerchantInTransit(merchant, currency),
            })
            {
                held += await world.BalanceAsync(account);
            }

            Assert.Equal(earned[merchant], paid + held);
        }
    }

    /// <summary>
    /// The first process dies with its first write, the next with its second, and so on, so that a death comes at every statement of a chunk. Each
    /// time another process takes over.
    /// </summary>
    [Fact]
    public async Task RunAsync_DeathAtEveryStatement_PaysEachMerchantOnce()
    {
        using var world = new PayoutWorld(database.App, o => o.ChunkSize = 2);
        var merchants = new List<MerchantId>();
        for (var i = 0; i < 9; i++)
        {
            merchants.Add(await world.MerchantAsync());
            await world.EarnAsync(merchants[i], 100 + i);
        }

        var date = PayoutWorld.Today.AddDays(700_000);
        await using var owner = await database.Owner.OpenConnectionAsync();
        await owner.ExecuteAsync(
            """
            SET ROLE payments_owner;
            CREATE SEQUENCE payments.test_writes;
            CREATE FUNCTION payments.test_die() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF nextval('payments.test_writes') = (SELECT writes FROM payments.test_lives) THEN
                    PERFORM pg_terminate_backend(pg_backend_pid());
                END IF;
                RETURN NULL;
            END $$;
            CREATE TABLE payments.test_lives (writes bigint NOT NULL);
            INSERT INTO payments.test_lives VALUES (0);
            GRANT USAGE ON SEQUENCE payments.test_writes TO payments_app;
            GRANT SELECT ON payments.test_lives TO payments_app;
            GRANT EXECUTE ON FUNCTION payments.test_die TO payments_app;
            """);
        string[] tables = ["payout_runs", "payout_run_lanes", "payout_settings", "payouts", "balance_transactions", "events", "outbox"];
        foreach (var table in tables)
        {
            await owner.ExecuteAsync($"CREATE TRIGGER test_die AFTER INSERT OR UPDATE ON payments.{table} FOR EACH STATEMENT EXECUTE FUNCTION payments.test_die()");
        }

        var deaths = 0;
        while (true)
        {
            await owner.ExecuteAsync("ALTER SEQUENCE payments.test_writes RESTART; UPDATE payments.test_lives SET writes = @writes", new { writes = deaths + 1 });
            try
            {
                await world.Run.RunAsync(date, Currency.Eur, "test", default);
                break;
            }
            catch (NpgsqlException e) when (e is not PostgresException other || other.SqlState == PostgresErrorCodes.AdminShutdown)
            {
                deaths++;
                await world.AssertSoundAsync();
            }
        }

        foreach (var table in tables)
        {
            await owner.ExecuteAsync($"DROP TRIGGER test_die ON payments.{table}");
        }

        Assert.True(deaths >= 10, $"{deaths} deaths");
        foreach (var merchant in merchants)
        {
            Assert.Single(await world.PayoutsAsync(merchant));
            Assert.Equal(1, await world.CountAsync("SELECT count(*) FROM payments.outbox WHERE (body->>'merchant')::uuid = @id", new { id = merchant.Value }));
        }

        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task PreviewAsync_IncomeAndAdjustments_ReservesOfTheIncomeAlone()
    {
        using var world = new PayoutWorld(database.App);
        var merchant = await world.MerchantAsync();
        foreach (var type in new[] { BalanceTransactionType.Charge, BalanceTransactionType.Adjustment, BalanceTransactionType.DisputeReversal })
        {
            await world.EarnAsync(merchant, 1_000, type: type);
        }

        await world.Settings.ChangeAsync(merchant, Currency.Eur, new(null, null, null, null, new(1_000, 5, 0)), true, "test", default);
        var preview = await world.PreviewAsync(merchant, Currency.Eur);
        Assert.Equal((3_000, 2_800, 200, 0), (preview.Available, preview.Amount, preview.Reserved, preview.CarriedOver));
    }
}
