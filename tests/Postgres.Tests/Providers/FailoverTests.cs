using System.Text;
using Dapper;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Payments.Domain;
using Payments.Domain.Charges;
using Payments.Domain.Database;
using Payments.Domain.Idempotency;
using Payments.Domain.Ledger;
using Payments.Domain.Merchants;
using Payments.Domain.Messaging;
using Payments.Domain.Providers;
using Payments.Domain.Webhooks;
using Payments.Postgres.Tests.Messaging;

namespace Payments.Postgres.Tests.Providers;

/// <summary>A charge that goes on to another provider: recorded in one transaction with what ended at the first, whoever else tells of it.</summary>
public sealed class FailoverTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static readonly DateTimeOffset Start = new(2026, 3, 2, 9, 0, 0, TimeSpan.Zero);
    private static readonly PaymentAnswer DeclinedThere = PaymentAnswer.Declined(DeclineCode.DoNotHonor, "do_not_honor", "pay_1");
    private readonly TestTime _time = new(Start);

    [Fact]
    public async Task Record_KnownEndWithANextTry_StartsItAndAnswersNobodyYet()
    {
        await using var services = Services();
        var outcomes = services.GetRequiredService<AttemptOutcomes>();
        var (first, next) = await IntendAsync(services);

        var moved = await outcomes.RecordAsync(first.Reference, DeclinedThere, default, next);

        Assert.Equal((next, null), (moved.Started, moved.Response));
        Assert.Equal(("pending", "sandbox_backup", "tok_second", false, 0), await SeenAsync(first));
        Assert.Equal([("sandbox", "declined"), ("sandbox_backup", "started")], await AttemptsAsync(first));

        // The first provider's webhook comes late, and then tells that the declined payment was given up: neither is about the charge any more.
        Assert.False((await outcomes.RecordAsync(first.Reference, DeclinedThere, default)).Changed);
        Assert.False((await outcomes.RecordAsync(first.Reference, new PaymentAnswer(PaymentResult.Canceled, "pay_1"), default)).Changed);

        var captured = await outcomes.RecordAsync(next.Attempt.Reference, new PaymentAnswer(PaymentResult.Succeeded, "pay_2"), default);
        Assert.Equal(201, captured.Response!.Status);
        Assert.Contains("\"provider\":\"sandbox_backup\"", Encoding.UTF8.GetString(captured.Response.Body), StringComparison.Ordinal);
        Assert.Equal(("captured", "sandbox_backup", "tok_second", true, 1), await SeenAsync(first));
    }

    [Fact]
    public async Task Record_TheWebhookToldTheDeclineFirst_TheChargeEndsAndNothingIsStarted()
    {
        await using var services = Services();
        var outcomes = services.GetRequiredService<AttemptOutcomes>();
        var (first, next) = await IntendAsync(services);

        await outcomes.RecordAsync(first.Reference, DeclinedThere, default);
        var late = await outcomes.RecordAsync(first.Reference, DeclinedThere, default, next);

        Assert.Null(late.Started);
        Assert.Equal(201, late.Response!.Status);
        Assert.Equal(("declined", "sandbox", "tok_first", true, 1), await SeenAsync(first));
        Assert.Equal([("sandbox", "declined")], await AttemptsAsync(first));
    }

    [Fact]
    public async Task Record_UnknownEndWithANextTry_StartsNothing()
    {
        await using var services = Services();
        var (first, next) = await IntendAsync(services);

        var outcome = await services.GetRequiredService<AttemptOutcomes>().RecordAsync(first.Reference, PaymentAnswer.Unknown("time-out"), default, next);

        Assert.Null(outcome.Started);
        Assert.Equal(202, outcome.Response!.Status);
        Assert.Equal([("sandbox", "unknown")], await AttemptsAsync(first));
    }

    [Fact]
    public async Task Record_ResponseAndWebhookAtOnce_EitherEndsOrGoesOnAndNeverBoth()
    {
        await using var services = Services();
        var outcomes = services.GetRequiredService<AttemptOutcomes>();
        for (var round = 0; round < 20; round++)
        {
            var (first, next) = await IntendAsync(services);

            var all = await Task.WhenAll(
                Task.Run(() => outcomes.RecordAsync(first.Reference, DeclinedThere, default)),
                Task.Run(() => outcomes.RecordAsync(first.Reference, DeclinedThere, default, next)),
                Task.Run(() => outcomes.RecordAsync(first.Reference, DeclinedThere, default)));

            var started = all.Count(outcome => outcome.Started is not null);
            var (status, provider, _, _, _) = await SeenAsync(first);
            Assert.Equal(started == 1 ? ("pending", "sandbox_backup", 2) : ("declined", "sandbox", 1), (status, provider, (await AttemptsAsync(first)).Length));
        }
    }

    private async Task<(Attempt First, NextAttempt Next)> IntendAsync(ServiceProvider services)
    {
        var merchant = PrefixedId.New<MerchantId>(Start);
        await using var connection = await database.App.OpenConnectionAsync();
        await connection.ExecuteAsync(
            """
            INSERT INTO payments.merchants (bucket, id, name, country, status, fee_plan, payout_delay_days, metadata, created_at,
                updated_at)
            VALUES (payments.bucket_of(@id), @id, 'A shop', 'DE', 'active', '{"rules":[]}', 2, '{}', @now, @now)
            """,
            new { id = merchant.Value, now = Start });
        var (zero, amount, charge) = (Money.Zero(Currency.Eur), new Money(10_000, Currency.Eur), PrefixedId.New<ChargeId>(Start));
        var attempt = new Attempt(
            merchant, AttemptId.FirstOf(charge), charge, null, PaymentOperation.Charge, AttemptStatus.Started, "sandbox", amount, null, null, $"key-{charge}", 0, Start, Start, null);
        var intent = new ChargeIntent(
            new IdempotentRequest(merchant, new IdempotencyKey($"key-{charge}"), new byte[32]),
            new Charge(
                merchant, charge, ChargeStatus.Pending, amount, CaptureMethod.Automatic, zero, zero, zero, zero, zero, zero, zero, "tok_first", "sandbox", null, null, null, null, null,
                null, null, "{}", Start, Start, null),
            attempt);
        Assert.True((await services.GetRequiredService<GroupCommit<ChargeIntent, RecordedIntent>>().SubmitAsync(intent, default)).IsNew);
        var later = Start.AddSeconds(1);
        return (attempt, new NextAttempt(attempt with { Id = PrefixedId.New<AttemptId>(later), Provider = "sandbox_backup", CreatedAt = later, NextCheckAt = later }, "tok_second"));
    }

    /// <returns>The charge's status, provider and token, whether its caller has an answer, and how many events tell of it.</returns>
    private async Task<(string Status, string Provider, string Token, bool Answered, int Events)> SeenAsync(Attempt first)
    {
        await using var connection = await database.App.OpenConnectionAsync();
        return await connection.QuerySingleAsync<(string, string, string, bool, int)>(
            """
            SELECT c.status, c.provider, c.payment_token, k.completed_at IS NOT NULL,
                (SELECT count(*)::integer FROM payments.events e WHERE e.merchant_id = c.merchant_id)
            FROM payments.charges c
            JOIN payments.idempotency_keys k ON k.merchant_id = c.merchant_id AND k.object_id = c.id
            WHERE c.merchant_id = @merchant AND c.id = @charge
            """,
            new { merchant = first.Merchant.Value, charge = first.Charge.Value });
    }

    private async Task<(string Provider, string Status)[]> AttemptsAsync(Attempt first) =>
        [.. (await new ChargeAttempts(database.App).ListAsync(first.Merchant, first.Charge, default)).Select(attempt => (attempt.Provider, DbText.Of(attempt.Status)))];

    private ServiceProvider Services()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["AzureWebJobsStorage"] = "UseDevelopmentStorage=true",
            ["Secrets:ActiveKey"] = "test",
            ["Secrets:Keys:test"] = Convert.ToBase64String(new byte[32]),
        }).Build();
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton<IConfiguration>(configuration);
        services.AddSingleton<TimeProvider>(_time);
        services.AddSingleton(_ => PaymentsDataSource.Create(database.AppConnectionString));
        services.AddSingleton<LedgerPosting>();
        services.AddMessaging(configuration);
        services.AddWebhooks(configuration);
        services.AddMerchants(configuration);
        services.AddProviders(configuration);
        services.AddCharges();
        services.AddSingleton<IMessageSender>(new MemorySender());
        return services.BuildServiceProvider();
    }
}
