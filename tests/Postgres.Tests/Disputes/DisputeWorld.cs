using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Payments.Domain;
using Payments.Domain.Disputes;
using Payments.Domain.Ledger;
using Payments.Domain.Messaging;

namespace Payments.Postgres.Tests.Disputes;

/// <summary>A clock that stands where the test puts it.</summary>
internal sealed class StandingClock(DateTimeOffset now) : TimeProvider
{
    public DateTimeOffset Now { get; set; } = now;

    public override DateTimeOffset GetUtcNow() => Now;
}

/// <summary>A merchant with captured charges, and what is asked of disputes.</summary>
internal sealed class DisputeWorld
{
    public static readonly DateTimeOffset Start = new(2026, 3, 1, 9, 0, 0, TimeSpan.Zero);

    private readonly NpgsqlDataSource _dataSource;

    private DisputeWorld(NpgsqlDataSource dataSource)
    {
        _dataSource = dataSource;
        Clock = new StandingClock(Start.AddDays(1));
        Merchant = PrefixedId.New<MerchantId>(Clock.Now);
        Ingestion = new DisputeIngestion(dataSource, new LedgerPosting(dataSource), new OutboxSignal(), Clock, NullLogger<DisputeIngestion>.Instance);
        Reads = new DisputeReads(dataSource);
    }

    public StandingClock Clock { get; }

    public MerchantId Merchant { get; }

    public DisputeIngestion Ingestion { get; }

    public DisputeReads Reads { get; }

    public static async Task<DisputeWorld> CreateAsync(NpgsqlDataSource dataSource, string feePlan = """{"rules":[]}""")
    {
        var world = new DisputeWorld(dataSource);
        await using var connection = await dataSource.OpenConnectionAsync();
        await connection.ExecuteAsync(
            """
            INSERT INTO payments.merchants (bucket, id, name, country, status, fee_plan, payout_delay_days, metadata, created_at,
                updated_at)
            VALUES (payments.bucket_of(@id), @id, 'A shop', 'DE', 'active', @feePlan::jsonb, 2, '{}', @now, @now)
            """,
            new { id = world.Merchant.Value, feePlan, now = Start.UtcDateTime });
        return world;
    }

    /// <summary>A captured charge that the sandbox knows under the reference.</summary>
    public async Task<ChargeId> ChargeAsync(string reference, long amount = 10000, string currency = "EUR", string provider = "sandbox",
        long? captured = null)
    {
        var id = PrefixedId.New<ChargeId>(Clock.Now);
        await using var connection = await _dataSource.OpenConnectionAsync();
        await connection.ExecuteAsync(
            """
            INSERT INTO payments.charges (bucket, merchant_id, id, status, currency, amount, capture_method, authorized_amount,
                captured_amount, payment_token, provider,
                provider_reference, metadata, created_at, updated_at)
            VALUES (payments.bucket_of(@merchant), @merchant, @id, 'captured', @currency, @amount, 'automatic', @amount, @captured,
                'tok_visa', @provider, @reference, '{}', @now, @now)
            """,
            new
            {
                merchant = Merchant.Value,
                id = id.Value,
                currency,
                amount,
                captured = captured ?? amount,
                provider,
                reference,
                now = Start.UtcDateTime,
            });
        return id;
    }

    public static DisputeUpdate Update(
        string reference, DisputeStatus status, int day = 0, DisputeStage stage = DisputeStage.Chargeback, Money? amount = null, DisputeSource source = DisputeSource.Webhook) =>
        new(
            "sandbox",
            $"d_{reference}",
            reference,
            stage,
            status,
            amount ?? new Money(10000, Currency.Eur),
            Returned: null,
            MerchantAmount: null,
            Network: "visa",
            NetworkReasonCode: "13.1",
            Reason: null,
            EvidenceDueBy: Start.AddDays(20),
            OccurredAt: Start.AddDays(day),
            source,
            SourceReference: $"{source}-{day}");

    public async Task<Dispute> SingleAsync(ChargeId charge) => Assert.Single(await Reads.OfChargeAsync(Merchant, charge, CancellationToken.None));

    /// <summary>The merchant's balance transactions of one dispute: type and net, oldest first.</summary>
    public async Task<IReadOnlyList<(string Type, long Net)>> TransactionsAsync(DisputeId dispute)
    {
        await using var connection = await _dataSource.OpenConnectionAsync();
        return (await connection.QueryAsync<(string, long)>(
            "SELECT type, net FROM payments.balance_transactions WHERE merchant_id = @merchant AND source_id = @source ORDER BY split_part(journal_key, ':', 2)::int",
            new { merchant = Merchant.Value, source = dispute.ToString() })).AsList();
    }

    public async Task<IReadOnlyList<string>> EventsAsync(DisputeId dispute)
    {
        await using var connection = await _dataSource.OpenConnectionAsync();
        return (await connection.QueryAsync<string>(
            "SELECT type FROM payments.events WHERE merchant_id = @merchant AND object_id = @id ORDER BY sequence",
            new { merchant = Merchant.Value, id = dispute.Value })).AsList();
    }

    /// <summary>The balance of one of the merchant's accounts in the ledger, in EUR cents.</summary>
    public Task<long> LedgerAsync(string part) =>
        CountAsync("SELECT coalesce(sum(b.balance), 0) FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id WHERE a.name = @name AND a.currency = 'EUR'", new { name = $"merchant/{Merchant}/{part}" });

    public async Task<long> CountAsync(string sql, object parameters)
    {
        await using var connection = await _dataSource.OpenConnectionAsync();
        return await connection.ExecuteScalarAsync<long>(sql, parameters);
    }

    public Task<long> UnmatchedAsync(string reference) =>
        CountAsync("SELECT count(*) FROM payments.unmatched_dispute_updates WHERE provider_dispute_id = @id", new { id = $"d_{reference}" });

    public async Task<DisputeIngestionStatus> IngestAsync(DisputeUpdate update) => (await Ingestion.IngestAsync([update], CancellationToken.None))[0].Status;
}
