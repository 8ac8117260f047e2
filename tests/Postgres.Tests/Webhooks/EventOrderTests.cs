using System.Globalization;
using System.Text;
using System.Text.Json;
using Dapper;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Payments.Domain;
using Payments.Domain.Charges;
using Payments.Domain.Database;
using Payments.Domain.Disputes;
using Payments.Domain.Idempotency;
using Payments.Domain.Ledger;
using Payments.Domain.Merchants;
using Payments.Domain.Messaging;
using Payments.Domain.Providers;
using Payments.Domain.Webhooks;
using Payments.Domain.Webhooks.Inbound;
using Payments.Postgres.Tests.Messaging;

namespace Payments.Postgres.Tests.Webhooks;

/// <summary>
/// Every order in which the events of a charge, its refund and its dispute can arrive, with repetitions, before and after the charge itself is known: through
/// the signed webhook, the outbox and the queue, all end in the same state and the same ledger.
/// </summary>
public sealed class EventOrderTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    private static readonly DateTimeOffset Start = new(2026, 3, 2, 9, 0, 0, TimeSpan.Zero);
    private readonly TestTime _time = new(Start);
    private readonly MemorySender _sender = new();

    [Theory]
    [InlineData("won")]
    [InlineData("lost")]
    public async Task Events_InEveryOrderWithRepetitions_EndInTheSameState(string verdict)
    {
        await using var services = Services();
        var merchant = await MerchantAsync();
        var orders = Permutations([.. Enumerable.Range(0, 5)]).ToArray();
        var stories = orders.Select((order, i) => new Story(merchant, i, order, verdict, _time.GetUtcNow())).ToArray();
        await PlayAsync(services, stories, known => IntendAsync(services, known));

        var states = await Task.WhenAll(stories.Select(StateAsync));
        Assert.Contains($"\"{verdict}\"", states[0], StringComparison.Ordinal);
        Assert.All(states, state => Assert.Equal(states[0], state));
        await AllDoneAsync(merchant, stories.Length);
    }

    [Theory]
    [InlineData("won", "succeeded")]
    [InlineData("lost", "failed")]
    public async Task Events_OfARefundToo_EndInTheSameState(string verdict, string refunded)
    {
        await using var services = Services();
        var merchant = await MerchantAsync();
        var orders = Permutations([1, 2, 4, 5, 6]).ToArray();
        var stories = orders.Select((order, i) => new Story(merchant, i, order, verdict, _time.GetUtcNow(), refunded)).ToArray();

        // There is something to refund once the processor's answer says captured; its event of that comes at any time all the same.
        await IntendAsync(services, stories);
        var outcomes = services.GetRequiredService<AttemptOutcomes>();
        await Task.WhenAll(stories.Select(story => outcomes.RecordAsync(story.Intent.Attempt.Reference, new PaymentAnswer(PaymentResult.Succeeded, story.Payment), default)));
        var refunds = services.GetRequiredService<GroupCommit<OperationIntent, OperationStart>>();
        Assert.All(await Task.WhenAll(stories.Select(story => refunds.SubmitAsync(story.Refund, default).AsTask())), start => Assert.Null(start.Refusal));
        await PlayAsync(services, stories, _ => Task.CompletedTask);

        var states = await Task.WhenAll(stories.Select(StateAsync));
        Assert.Contains($"\"refund\": \"{refunded}\"", states[0], StringComparison.Ordinal);
        Assert.All(states, state => Assert.Equal(states[0], state));
        await AllDoneAsync(merchant, stories.Length);
    }

    private async Task PlayAsync(ServiceProvider services, Story[] stories, Func<Story[], Task> know)
    {
        // Step by step for all stories at once: each event is processed before the next one of its story arrives.
        for (var step = 0; step <= 5; step++)
        {
            await know([.. stories.Where(story => story.KnownAt == step)]);
            if (step == 5)
                break;
            await Task.WhenAll(stories.Select(story => ReceiveAsync(services, story, story.Order[step], "a")));
            await DrainAsync(services);
            await Task.WhenAll(stories.Where(story => (story.Number + step) % 2 == 0).SelectMany(story => story.Order[..(step + 1)].Select(kind => ReceiveAsync(services, story, kind, $"repeated{step}"))));
            await DrainAsync(services);
        }

        for (var i = 0; i < 12; i++)
        {
            _time.Advance(TimeSpan.FromHours(6));
            await DrainAsync(services);
            await services.GetRequiredService<DisputeIngestion>().MatchAsync(1000, default);
        }
    }

    private async Task AllDoneAsync(MerchantId merchant, int stories)
    {
        await using var connection = await database.App.OpenConnectionAsync();
        Assert.Equal(0, await connection.ExecuteScalarAsync<long>("SELECT count(*) FROM payments.provider_events WHERE status NOT IN ('applied', 'ignored')"));
        Assert.Equal(0, await connection.ExecuteScalarAsync<long>("SELECT count(*) FROM payments.unmatched_dispute_updates"));
        Assert.Equal(stories * 10_000L, await connection.ExecuteScalarAsync<long>(
            "SELECT sum(amount) FROM payments.balance_transactions WHERE merchant_id = @merchant AND type = 'charge'", new { merchant = merchant.Value }));
    }

    private static IEnumerable<int[]> Permutations(int[] items) => items.Length <= 1
        ? [items]
        : items.SelectMany(first => Permutations([.. items.Where(item => item != first)]).Select(rest => (int[])[first, .. rest]));

    private ServiceProvider Services()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["AzureWebJobsStorage"] = "UseDevelopmentStorage=true",
            ["Webhooks:Inbound:sandbox:Secret"] = Secret,
            ["Secrets:ActiveKey"] = "test",
            ["Secrets:Keys:test"] = Convert.ToBase64String(new byte[32]),
            ["Providers:Sandbox:BaseAddress"] = "http://127.0.0.1:1/",
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
        services.AddDisputes(configuration);
        services.AddSingleton<IMessageSender>(_sender);
        return services.BuildServiceProvider();
    }

    private async Task<MerchantId> MerchantAsync()
    {
        var id = PrefixedId.New<MerchantId>(Start);
        await using var connection = await database.App.OpenConnectionAsync();
        await connection.ExecuteAsync(
            """
            INSERT INTO payments.merchants (bucket, id, name, country, status, fee_plan, payout_delay_days, metadata, created_at,
                updated_at)
            VALUES (payments.bucket_of(@id), @id, 'A shop', 'DE', 'active', '{"rules":[]}', 2, '{}', @now, @now)
            """,
            new { id = id.Value, now = Start });
        return id;
    }

    // The charge's row, as the API writes it before it calls the processor.
    private static Task IntendAsync(ServiceProvider services, Story[] stories)
    {
        var intents = services.GetRequiredService<GroupCommit<ChargeIntent, RecordedIntent>>();
        return Task.WhenAll(stories.Select(async story => Assert.True((await intents.SubmitAsync(story.Intent, default)).IsNew)));
    }

    private async Task ReceiveAsync(ServiceProvider services, Story story, int kind, string delivery)
    {
        var id = $"aevt_{story.Intent.Charge.Id.Value:N}_{kind}";
        var body = Encoding.UTF8.GetBytes(story.Body(kind, id));
        var time = _time.GetUtcNow().ToUnixTimeSeconds();

        // Every third repetition comes under an id of its own: only what it says tells that it is one.
        if (delivery != "a" && (story.Number + kind) % 3 == 0)
            id += delivery;
        var headers = new HeaderDictionary
        {
            [StandardWebhooks.IdHeader] = id,
            [StandardWebhooks.TimestampHeader] = time.ToString(CultureInfo.InvariantCulture),
            [StandardWebhooks.SignatureHeader] = StandardWebhooks.Sign(StandardWebhooks.KeyOf(Secret)!, id, time, body),
        };
        Assert.Null((await services.GetRequiredService<ReceiveWebhook>().HandleAsync("sandbox", headers, body, default)).Refusal);
    }

    private async Task DrainAsync(ServiceProvider services)
    {
        var dispatcher = services.GetRequiredService<MessageDispatcher>();
        while (await services.GetRequiredService<OutboxRelay>().RelayAsync(default) > 0)
        {
            var messages = new List<(string Queue, MessageEnvelope Message)>();
            while (_sender.Sent.TryDequeue(out var sent))
                messages.Add(sent);
            await Parallel.ForEachAsync(messages, new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (sent, ct) => await dispatcher.DispatchAsync(sent.Queue, sent.Message.ToUtf8(), ct));
        }
    }

    private async Task<string> StateAsync(Story story)
    {
        await using var connection = await database.App.OpenConnectionAsync();
        var parameters = new { merchant = story.Intent.Charge.Merchant.Value, charge = story.Intent.Charge.Id.Value };
        var charge = await connection.QuerySingleAsync<string>(
            """
            SELECT jsonb_build_object('status', status, 'captured', captured_amount, 'refunded', refunded_amount, 'refunding', refunding_amount, 'fee', fee_amount, 'refund',
                (SELECT r.status FROM payments.refunds r WHERE r.merchant_id = c.merchant_id AND r.charge_id = c.id))::text
            FROM payments.charges c WHERE merchant_id = @merchant AND id = @charge
            """,
            parameters);
        var dispute = await connection.QuerySingleAsync<(Guid Id, string State)>(
            "SELECT id, jsonb_build_object('status', status, 'stage', stage, 'amount', amount)::text FROM payments.disputes WHERE merchant_id = @merchant AND charge_id = @charge", parameters);

        // The disputed sum may go back and forth on its way: what it comes to is what must agree.
        var sums = await connection.QuerySingleAsync<string>(
            """
            SELECT jsonb_build_object('charge', sum(net) FILTER (WHERE source_id = @charge), 'refund', COALESCE(sum(net) FILTER (WHERE source_id = @refund), 0), 'dispute', COALESCE(sum(net) FILTER (WHERE source_id = @dispute), 0))::text
            FROM payments.balance_transactions WHERE merchant_id = @merchant AND source_id IN (@charge, @dispute, @refund)
            """,
            new { parameters.merchant, charge = story.Intent.Charge.Id.ToString(), dispute = new DisputeId(dispute.Id).ToString(), refund = story.Refund.Refund.ToString() });
        return $"{charge} {dispute.State} {sums}";
    }

    private sealed record Story
    {
        private readonly string _verdict;
        private readonly DateTimeOffset _now;
        private readonly string _payment;
        private readonly string? _refunded;

        public Story(MerchantId merchant, int number, int[] order, string verdict, DateTimeOffset now, string? refunded = null)
        {
            (Number, Order, KnownAt, _verdict, _now, _refunded) = (number, order, number % 6, verdict, now, refunded);
            var charge = PrefixedId.New<ChargeId>(now);
            var attempt = AttemptId.FirstOf(charge);
            _payment = $"pay_{charge.Value:N}";
            var zero = Money.Zero(Currency.Eur);
            var amount = new Money(10_000, Currency.Eur);
            Intent = new ChargeIntent(
                new IdempotentRequest(merchant, new IdempotencyKey($"key-{charge}"), new byte[32]),
                new Charge(
                    merchant, charge, ChargeStatus.Pending, amount, CaptureMethod.Automatic, zero, zero, zero, zero, zero, zero, zero, "tok_visa", "sandbox", null, null, null, null, null,
                    null, null, "{}", now, now, null),
                new Attempt(merchant, attempt, charge, null, PaymentOperation.Charge, AttemptStatus.Started, "sandbox", amount, null, null, $"key-{charge}", 0, now, now, null));
            Refund = new OperationIntent(merchant, charge, PaymentOperation.Refund, 4_000, PrefixedId.New<AttemptId>(now), null, now) { Refund = PrefixedId.New<RefundId>(now) };
        }

        public int Number { get; }

        public string Payment => _payment;

        /// <summary>Forty of the hundred, asked for by the merchant.</summary>
        public OperationIntent Refund { get; }

        public int[] Order { get; }

        /// <summary>Before which step the charge is there.</summary>
        public int KnownAt { get; }

        public ChargeIntent Intent { get; }

        public string Body(int kind, string id) => kind switch
        {
            0 => PaymentEvent(id, "payment.requires_action", "requires_action"),
            1 => PaymentEvent(id, "payment.captured", "captured"),
            2 => Dispute(id, "dispute.opened", "needs_response", 1, 10_000),
            3 => Dispute(id, "dispute.updated", "under_review", 2, 10_000),
            5 => RefundEvent(id, "refund.pending", "pending"),
            6 => RefundEvent(id, $"refund.{_refunded}", _refunded!),
            _ => Dispute(id, "dispute.closed", _verdict, 3, _verdict == "won" ? 0 : 10_000),
        };

        private string PaymentEvent(string id, string type, string status) => JsonSerializer.Serialize(new
        {
            id,
            type,
            created_at = _now,
            data = new { @object = "payment", id = _payment, reference = Intent.Attempt.Reference.ToString(), status, amount = 10_000, currency = "EUR", redirect_url = "https://acs.example.com/" },
        });

        private string RefundEvent(string id, string type, string status) => JsonSerializer.Serialize(new
        {
            id,
            type,
            created_at = _now,
            data = new
            {
                @object = "refund",
                id = $"ref_{_payment}",
                payment_id = _payment,
                reference = new AttemptReference(Refund.Merchant, Refund.Attempt).ToString(),
                status,
                amount = 4_000,
                currency = "EUR",
                failure_code = status == "failed" ? "invalid_account" : null,
            },
        });

        private string Dispute(string id, string type, string status, int version, long held) => JsonSerializer.Serialize(new
        {
            id,
            type,
            created_at = _now,
            data = new
            {
                @object = "dispute",
                id = $"dsp_{_payment}",
                payment_id = _payment,
                status,
                stage = "chargeback",
                amount = 10_000,
                currency = "EUR",
                reason_code = "13.1",
                network = "visa",
                held_amount = held,
                version,
                updated_at = _now.AddHours(version),
            },
        });
    }
}
