using Dapper;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Payments.Domain;
using Payments.Domain.Audit;
using Payments.Domain.Charges;
using Payments.Domain.Database;
using Payments.Domain.Ledger;
using Payments.Domain.Merchants;
using Payments.Domain.Messaging;
using Payments.Domain.Pricing;
using Payments.Domain.Providers;
using Payments.Postgres.Tests.Disputes;
using Payments.Postgres.Tests.Messaging;

namespace Payments.Postgres.Tests.Pricing;

/// <summary>Captures priced where they are recorded: by the version in force, by the month's exact volume, whatever races and repeats.</summary>
public sealed class CapturePricingTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static readonly DateTimeOffset Start = new(2026, 3, 10, 12, 0, 0, TimeSpan.Zero);

    private readonly StandingClock _clock = new(Start);

    [Fact]
    public async Task Record_ManyCapturesOnTwoInstancesEachToldTwice_CountsEachOnceAndPricesByTheExactVolume()
    {
        const int Captures = 60;
        await using var one = Instance();
        await using var two = Instance();
        var merchant = await MerchantAsync(new FeePlan([new("EUR", 300, 0, Tiers: [new(200_000, 200, 0), new(455_000, 100, 0)])]));
        var attempts = new List<AttemptReference>();
        for (var i = 0; i < Captures; i++)
            attempts.Add(await IntentAsync(merchant, 10_000));

        await Task.WhenAll(attempts.SelectMany(attempt => new[] { one, two }.Select(instance => Task.Run(() => CaptureAsync(instance, attempt)))));

        var details = (await ChargesAsync(merchant)).Select(charge => Assert.Single(charge.FeeDetails)).OrderBy(detail => detail.VolumeBefore).ToList();
        Assert.Equal(Enumerable.Range(0, Captures).Select(i => (long?)(10_000 * i)), details.Select(detail => detail.VolumeBefore));

        // 2,000.00 at 3 %, 2,550.00 at 2 %, 1,450.00 at 1 %.
        Assert.Equal(6_000 + 5_100 + 1_450, details.Sum(detail => detail.Fee));
        Assert.Equal((600_000, 60), await VolumeAsync(merchant, new DateOnly(2026, 3, 1)));
        Assert.Equal(600_000 - 12_550, await BalanceAsync(ChartOfAccounts.MerchantPending(merchant, Currency.Eur)));
    }

    [Fact]
    public async Task Record_OneBatchOfManyCaptures_PricesEachAfterTheOneBefore()
    {
        await using var instance = Instance();
        var merchant = await MerchantAsync(new FeePlan([new("EUR", 1_000, 5, Tiers: [new(2_500, 0, 1)])]));
        var attempts = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => IntentAsync(merchant, 1_000)));

        await Task.WhenAll(attempts.Select(attempt => CaptureAsync(instance, attempt)));

        Assert.Equal([1, 1, 55, 105, 105], (await ChargesAsync(merchant)).Select(charge => charge.Fee.MinorUnits).Order());
    }

    [Fact]
    public async Task Record_VersionsOneAfterAnother_UsesTheOneInForceAtTheCapture()
    {
        await using var instance = Instance();
        var merchant = await MerchantAsync(new FeePlan([new("EUR", 100, 0)]));
        var plans = instance.GetRequiredService<FeePlans>();
        var two = await PutAsync(plans, merchant, new FeePlan([new("EUR", 200, 0)]), Start.AddHours(1));
        Assert.Equal((2, "scheduled"), (two.Version, two.Status));

        var fees = new List<(int, long)>();
        foreach (var minutes in new[] { 0, 59, 60, 90 })
        {
            _clock.Now = Start.AddMinutes(minutes);
            var charge = await CaptureAsync(instance, await IntentAsync(merchant, 10_000));
            fees.Add((Assert.Single(charge.FeeDetails).PlanVersion, charge.Fee.MinorUnits));
        }

        Assert.Equal([(1, 100), (1, 100), (2, 200), (2, 200)], fees);
        Assert.Equal(2, (await plans.GetAsync(merchant, default))!.InForce);
    }

    [Fact]
    public async Task Record_AtTheTurnOfAMonth_BeginsTheVolumeAnew()
    {
        await using var instance = Instance();
        var merchant = await MerchantAsync(new FeePlan([new("EUR", 100, 0, Tiers: [new(5_000, 50, 0)])]));
        var fees = new List<long>();
        foreach (var time in new[] { "2026-03-31T23:00:00Z", "2026-03-31T23:59:59.999999Z", "2026-04-01T00:00:00Z", "2026-03-31T23:59:59.999999Z" })
        {
            // The last one: the clock is set back, and the month that was counts on.
            _clock.Now = DateTimeOffset.Parse(time, System.Globalization.CultureInfo.InvariantCulture);
            fees.Add((await CaptureAsync(instance, await IntentAsync(merchant, 10_000))).Fee.MinorUnits);
        }

        Assert.Equal([75, 50, 75, 50], fees);
        Assert.Equal((30_000, 3), await VolumeAsync(merchant, new DateOnly(2026, 3, 1)));
        Assert.Equal((10_000, 1), await VolumeAsync(merchant, new DateOnly(2026, 4, 1)));
    }

    [Fact]
    public async Task Record_WithoutTiersAndWhatFails_CountsOnlyWhatIsCaptured()
    {
        await using var instance = Instance();
        var merchant = await MerchantAsync(FeePlan.Standard);
        await CaptureAsync(instance, await IntentAsync(merchant, 700));
        var outcomes = instance.GetRequiredService<AttemptOutcomes>();
        await outcomes.RecordAsync(await IntentAsync(merchant, 1_000), PaymentAnswer.Declined(DeclineCode.LostCard), default);
        await outcomes.RecordAsync(await IntentAsync(merchant, 1_000), PaymentAnswer.Unknown("time-out"), default);

        Assert.Equal((700, 1), await VolumeAsync(merchant, new DateOnly(2026, 3, 1)));
    }

    [Fact]
    public async Task Record_ACardFromAbroad_IsPricedByItsRegion()
    {
        await using var instance = Instance();
        var merchant = await MerchantAsync(new FeePlan([new("EUR", 100, 0, CardRegion: CardRegion.Domestic), new("EUR", 300, 0, CardRegion: CardRegion.International), new("EUR", 200, 0)]));
        var fees = new List<long>();
        foreach (var country in new[] { "DE", "US", "FR" })
            fees.Add((await CaptureAsync(instance, await IntentAsync(merchant, 10_000), new CardDetails("visa", "4242", country))).Fee.MinorUnits);

        Assert.Equal([100, 300, 200], fees);
    }

    [Theory]
    [InlineData(RefundFeePolicy.Kept, 0, 0)]
    [InlineData(RefundFeePolicy.Returned, 106, 320)]
    public async Task Record_Refunds_ReturnTheFeeAsThePlanSays(RefundFeePolicy policy, long first, long all)
    {
        await using var instance = Instance();
        var merchant = await MerchantAsync(FeePlan.Standard with { FeeOnRefund = policy });
        var charge = await CaptureAsync(instance, await IntentAsync(merchant, 10_000));
        await using var connection = await database.App.OpenConnectionAsync();
        var available = ChartOfAccounts.MerchantAvailable(merchant, Currency.Eur);

        await CaptureAsync(instance, await RefundIntentAsync(merchant, charge.Id, 3_333));
        Assert.Equal(-3_333 + first, await BalanceAsync(available));
        var second = await RefundIntentAsync(merchant, charge.Id, 6_667);
        await CaptureAsync(instance, second);

        Assert.Equal(-10_000 + all, await BalanceAsync(available));
        Assert.Equal(all, Assert.Single(await ChargesAsync(merchant)).FeeReturned.MinorUnits);
        Assert.Equal(
            [first - 3_333, all - first - 6_667],
            await connection.QueryAsync<long>("SELECT net FROM payments.balance_transactions WHERE merchant_id = @merchant AND type = 'refund' ORDER BY id", new { merchant }));
        Assert.Equal(all, await connection.ExecuteScalarAsync<long>("SELECT coalesce(sum(fee_returned_amount), 0)::bigint FROM payments.refunds WHERE merchant_id = @merchant", new { merchant }));

        // The processor takes the second one back: so does the platform its fee.
        await instance.GetRequiredService<AttemptOutcomes>().RecordAsync(second, PaymentAnswer.Declined(DeclineCode.InvalidAccount), default);
        Assert.Equal(-3_333 + first, await BalanceAsync(available));
        Assert.Equal(first, Assert.Single(await ChargesAsync(merchant)).FeeReturned.MinorUnits);
        Assert.Equal(
            6_667 - (all - first),
            await connection.ExecuteScalarAsync<long>("SELECT net FROM payments.balance_transactions WHERE merchant_id = @merchant AND type = 'refund_failure'", new { merchant }));
    }

    [Fact]
    public async Task Put_TooEarly_IsRefused()
    {
        await using var instance = Instance();
        var merchant = await MerchantAsync(FeePlan.Standard);
        var plans = instance.GetRequiredService<FeePlans>();
        foreach (var from in new[] { Start.AddDays(-1), Start, Start.AddSeconds(59) })
        {
            var result = await plans.PutAsync(merchant, new PutFeePlanRequest(new FeePlan([]), from), new Actor("test"), default);
            Assert.False(result.TryGet(out _, out var refusal));
            Assert.Equal("effective_from", refusal.Param);
        }

        Assert.Equal(Start.AddSeconds(60), (await PutAsync(plans, merchant, new FeePlan([]), Start.AddSeconds(60))).EffectiveFrom);
    }

    [Fact]
    public async Task Put_TheSameAgain_AddsNothing()
    {
        await using var instance = Instance();
        var merchant = await MerchantAsync(FeePlan.Standard);
        var plans = instance.GetRequiredService<FeePlans>();

        Assert.Equal(1, (await PutAsync(plans, merchant, FeePlan.Standard, null)).Version);
        Assert.Equal(2, (await PutAsync(plans, merchant, new FeePlan([]), Start.AddDays(1))).Version);
        Assert.Equal(2, (await PutAsync(plans, merchant, new FeePlan([]), Start.AddDays(1))).Version);
        Assert.Equal(2, (await PutAsync(plans, merchant, new FeePlan([]), Start.AddDays(2))).Version);
        Assert.Equal(3, (await PutAsync(plans, merchant, FeePlan.Standard, Start.AddDays(2))).Version);
    }

    [Fact]
    public async Task Put_ManyAtOnce_NumbersThemWithoutAGap()
    {
        await using var instance = Instance();
        var merchant = await MerchantAsync(FeePlan.Standard);
        var plans = instance.GetRequiredService<FeePlans>();

        var versions = await Task.WhenAll(Enumerable.Range(1, 8).Select(i => PutAsync(plans, merchant, new FeePlan([new("EUR", i, 0)]), Start.AddDays(i))));

        Assert.Equal(Enumerable.Range(2, 8), versions.Select(version => version.Version).Order());
    }

    [Theory]
    [InlineData("UPDATE payments.fee_plans SET plan = '{}'")]
    [InlineData("DELETE FROM payments.fee_plans")]
    public async Task Versions_ForTheAppsRole_AreOnlyAdded(string sql)
    {
        await using var connection = await database.App.OpenConnectionAsync();

        var refused = await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync(sql));

        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
    }

    [Fact]
    public async Task Dispute_AfterANewVersion_CostsWhatThatSays()
    {
        var world = await DisputeWorld.CreateAsync(database.App, """{"rules":[],"disputes":{"rules":[{"chargeback":1500}],"refunded_when_won":true}}""");
        await using var connection = await database.App.OpenConnectionAsync();
        await connection.ExecuteAsync(
            """
            INSERT INTO payments.fee_plans VALUES (
                payments.bucket_of(@merchant), @merchant, 2, @from,
                '{"rules":[],"disputes":{"rules":[{"chargeback":700}],"refunded_when_won":true}}', @made, 'test')
            """,
            new { merchant = world.Merchant, from = world.Clock.Now.AddHours(-1), made = world.Clock.Now.AddHours(-2) });
        var charge = await world.ChargeAsync("pay_versions");

        await world.Ingestion.IngestAsync([DisputeWorld.Update("pay_versions", Payments.Domain.Disputes.DisputeStatus.NeedsResponse)], default);

        Assert.Contains(("dispute_fee", -700L), await world.TransactionsAsync((await world.SingleAsync(charge)).Id));
    }

    private ServiceProvider Instance()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["AzureWebJobsStorage"] = "UseDevelopmentStorage=true",
            ["Providers:Sandbox:BaseAddress"] = "http://127.0.0.1:1/",
            ["Secrets:ActiveKey"] = "test",
            ["Secrets:Keys:test"] = Convert.ToBase64String(new byte[32]),
        }).Build();
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton<IConfiguration>(configuration);
        services.AddSingleton<TimeProvider>(_clock);
        services.AddSingleton(_ => PaymentsDataSource.Create(database.AppConnectionString + ";Maximum Pool Size=20"));
        services.AddSingleton<LedgerPosting>();
        services.AddMessaging(configuration);
        services.AddMerchants(configuration);
        services.AddProviders(configuration);
        services.AddCharges();
        services.AddSingleton<IMessageSender>(new MemorySender());
        return services.BuildServiceProvider();
    }

    private async Task<MerchantId> MerchantAsync(FeePlan plan)
    {
        var id = PrefixedId.New<MerchantId>(Start);
        await using var connection = await database.App.OpenConnectionAsync();
        await connection.ExecuteAsync(
            """
            INSERT INTO payments.merchants (bucket, id, name, country, status, fee_plan, payout_delay_days, metadata, created_at,
                updated_at)
            VALUES (payments.bucket_of(@id), @id, 'A shop', 'DE', 'active', @plan::jsonb, 2, '{}', @now, @now)
            """,
            new { id, plan = System.Text.Json.JsonSerializer.Serialize(plan, PricingJson.Default.FeePlan), now = Start });
        return id;
    }

    /// <summary>A charge that waits for the processor's answer.</summary>
    private async Task<AttemptReference> IntentAsync(MerchantId merchant, long amount)
    {
        var (charge, attempt) = (PrefixedId.New<ChargeId>(_clock.Now), PrefixedId.New<AttemptId>(_clock.Now));
        await using var connection = await database.App.OpenConnectionAsync();
        await connection.ExecuteAsync(
            """
            INSERT INTO payments.charges (bucket, merchant_id, id, status, currency, amount, capture_method, payment_token, provider,
                metadata, created_at, updated_at)
            VALUES (payments.bucket_of(@merchant), @merchant, @charge, 'pending', 'EUR', @amount, 'automatic', 'tok_visa', 'sandbox', '{}',
                @now, @now);
            INSERT INTO payments.attempts (bucket, merchant_id, id, charge_id, operation, status, provider, amount, created_at)
            VALUES (payments.bucket_of(@merchant), @merchant, @attempt, @charge, 'charge', 'started', 'sandbox', @amount, @now)
            """,
            new { merchant, charge, attempt, amount, now = _clock.Now });
        return new AttemptReference(merchant, attempt);
    }

    private async Task<AttemptReference> RefundIntentAsync(MerchantId merchant, ChargeId charge, long amount)
    {
        _clock.Now += TimeSpan.FromSeconds(1);
        var (refund, attempt) = (PrefixedId.New<RefundId>(_clock.Now), PrefixedId.New<AttemptId>(_clock.Now));
        await using var connection = await database.App.OpenConnectionAsync();
        await connection.ExecuteAsync(
            """
            UPDATE payments.charges SET refunding_amount = refunding_amount + @amount WHERE merchant_id = @merchant AND id = @charge;
            INSERT INTO payments.refunds (bucket, merchant_id, id, charge_id, status, currency, amount, metadata, created_at, updated_at)
            VALUES (payments.bucket_of(@merchant), @merchant, @refund, @charge, 'pending', 'EUR', @amount, '{}', @now, @now);
            INSERT INTO payments.attempts (bucket, merchant_id, id, charge_id, refund_id, operation, status, provider, amount, created_at)
            VALUES (payments.bucket_of(@merchant), @merchant, @attempt, @charge, @refund, 'refund', 'started', 'sandbox', @amount, @now)
            """,
            new { merchant, charge, refund, attempt, amount, now = _clock.Now });
        return new AttemptReference(merchant, attempt);
    }

    private static async Task<Charge> CaptureAsync(ServiceProvider instance, AttemptReference attempt, CardDetails? card = null)
    {
        var outcome = await instance.GetRequiredService<AttemptOutcomes>().RecordAsync(attempt, new PaymentAnswer(PaymentResult.Succeeded, $"pay_{attempt.Attempt}", Card: card), default);
        return outcome.Charge!;
    }

    private static async Task<FeePlanVersionResource> PutAsync(FeePlans plans, MerchantId merchant, FeePlan plan, DateTimeOffset? from)
    {
        var result = await plans.PutAsync(merchant, new PutFeePlanRequest(plan, from), new Actor("test"), default);
        Assert.True(result.TryGet(out var version, out var refusal), refusal?.Detail);
        return version;
    }

    private Task<IReadOnlyList<Charge>> ChargesAsync(MerchantId merchant) => new ChargeReads(database.App).ListAsync(merchant, new ChargeFilter(), 1000, null, default);

    private async Task<(long Captured, long Captures)> VolumeAsync(MerchantId merchant, DateOnly month)
    {
        await using var connection = await database.App.OpenConnectionAsync();
        await using var command = new NpgsqlCommand("SELECT captured, captures FROM payments.monthly_volumes WHERE merchant_id = $1 AND currency = 'EUR' AND month = $2", connection);
        command.Parameters.Add(new() { Value = merchant.Value });
        command.Parameters.Add(new() { Value = month });
        await using var row = await command.ExecuteReaderAsync();
        Assert.True(await row.ReadAsync());
        return (row.GetInt64(0), row.GetInt64(1));
    }

    private async Task<long> BalanceAsync(AccountRef account) => (await new LedgerReads(database.App).BalanceAsync(account, default)).MinorUnits;
}
