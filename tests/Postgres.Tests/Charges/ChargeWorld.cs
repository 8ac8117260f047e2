using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;
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
using Payments.Domain.Providers.Routing;
using Payments.Domain.Refunds;
using Payments.Domain.Webhooks;
using Payments.Postgres.Tests.Messaging;

namespace Payments.Postgres.Tests.Charges;

/// <summary>A provider that says what a test tells it to, and remembers what it was asked.</summary>
internal sealed class ScriptedProvider : IPaymentProvider
{
    public string Name => "sandbox";

    public ConcurrentQueue<PaymentRequest> Sent { get; } = new();

    public Func<PaymentRequest, PaymentAnswer> OnSend { get; set; } = request => request.Operation is PaymentOperation.Charge && !request.CaptureNow
        ? new PaymentAnswer(PaymentResult.Authorized, $"pay_{request.Reference.Attempt.Value:N}")
        : new PaymentAnswer(PaymentResult.Succeeded, $"pay_{request.Reference.Attempt.Value:N}");

    public Func<PaymentRequest, PaymentAnswer?> OnFind { get; set; } = _ => PaymentAnswer.Unknown("Nobody was asked.");

    public Task<PaymentAnswer> SendAsync(PaymentRequest request, CancellationToken ct)
    {
        Sent.Enqueue(request);
        return Task.FromResult(OnSend(request));
    }

    public Task<PaymentAnswer?> FindAsync(PaymentRequest request, CancellationToken ct) => Task.FromResult(OnFind(request));
}

/// <summary>One running app on a database, with a provider that a test scripts and a clock that it sets.</summary>
internal sealed class ChargeWorld : IAsyncDisposable
{
    public static readonly DateTimeOffset Start = new(2026, 3, 2, 9, 0, 0, TimeSpan.Zero);
    private readonly TestDatabase _database;
    private readonly ServiceProvider _services;

    public ChargeWorld(TestDatabase database)
    {
        _database = database;
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["AzureWebJobsStorage"] = "UseDevelopmentStorage=true",
            ["Secrets:ActiveKey"] = "test",
            ["Secrets:Keys:test"] = Convert.ToBase64String(new byte[32]),
            ["Charges:Limits:JPY:Minimum"] = "50",
            ["Charges:Limits:KWD:Maximum"] = "5000000",
        }).Build();
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton<IConfiguration>(configuration);
        services.AddSingleton<TimeProvider>(Time);
        services.AddSingleton(_ => PaymentsDataSource.Create(database.AppConnectionString));
        services.AddSingleton<LedgerPosting>();
        services.AddMessaging(configuration);
        services.AddWebhooks(configuration);
        services.AddMerchants(configuration);
        services.AddSingleton<IPaymentProvider>(Provider);
        services.AddSingleton<PaymentProviders>();
        services.AddSingleton<RoutingRules>();
        services.AddCharges();
        services.AddSingleton<IMessageSender>(new MemorySender());
        _services = services.BuildServiceProvider();
    }

    public TestTime Time { get; } = new(Start);

    public ScriptedProvider Provider { get; } = new();

    public T Get<T>()
        where T : notnull => _services.GetRequiredService<T>();

    public async Task<MerchantId> MerchantAsync()
    {
        var id = PrefixedId.New<MerchantId>(Start);
        await using var connection = await _database.App.OpenConnectionAsync();
        await connection.ExecuteAsync(
            """
            INSERT INTO payments.merchants (bucket, id, name, country, status, fee_plan, payout_delay_days, metadata, created_at,
                updated_at)
            VALUES (payments.bucket_of(@id), @id, 'A shop', 'DE', 'active', '{"rules":[]}', 2, '{}', @now, @now)
            """,
            new { id = id.Value, now = Start });
        return id;
    }

    public static IdempotentRequest Request(MerchantId merchant) => new(merchant, new IdempotencyKey(Convert.ToHexString(RandomNumberGenerator.GetBytes(12))), new byte[32]);

    public async Task<Charge> ChargeAsync(MerchantId merchant, long amount = 10_000, bool capture = true)
    {
        var result = await Get<CreateCharge>().HandleAsync(
            Request(merchant), new CreateChargeRequest(amount, "EUR", "tok_visa", capture ? null : "manual", null, null, null, null, null), default);
        var id = result.Match(response => JsonElement.Parse(System.Text.Encoding.UTF8.GetString(response.Body)).GetProperty("id").GetString(), refusal => throw new InvalidOperationException(refusal.Detail));
        Assert.True(PrefixedId.TryParse<ChargeId>(id, out var charge));
        return await ReadAsync(merchant, charge);
    }

    public async Task<Charge> ReadAsync(MerchantId merchant, ChargeId id) => await Get<ChargeReads>().GetAsync(merchant, id, default) ?? throw new InvalidOperationException("The charge is gone.");

    public Task<Result<StoredResponse>> CaptureAsync(Charge charge, long? amount = null) =>
        Get<ChargeOperations>().CaptureAsync(Request(charge.Merchant), charge.Id, new CaptureChargeRequest(amount, null), default);

    public Task<Result<StoredResponse>> RefundAsync(Charge charge, long? amount = null) =>
        Get<ChargeOperations>().RefundAsync(Request(charge.Merchant), new CreateRefundRequest(charge.Id.ToString(), amount, null, null), default);

    public async Task<IReadOnlyList<string>> EventsAsync(MerchantId merchant, Guid objectId) =>
        [.. (await Get<Events>().ListAsync(merchant, null, null, objectId, default, 100, default)).OrderBy(e => e.Sequence).Select(e => e.Type)];

    /// <summary>What the merchant's available balance says in the ledger.</summary>
    public async Task<long> AvailableAsync(MerchantId merchant)
    {
        await using var connection = await _database.App.OpenConnectionAsync();
        return await connection.ExecuteScalarAsync<long>("SELECT COALESCE(sum(net), 0) FROM payments.balance_transactions WHERE merchant_id = @merchant AND released_at IS NOT NULL", new { merchant = merchant.Value });
    }

    public ValueTask DisposeAsync() => _services.DisposeAsync();
}
