using Npgsql;
using Payments.Domain;
using Payments.Domain.Balances;
using Payments.Domain.Charges;
using Payments.Domain.Database;
using Payments.Domain.Messaging;

namespace Payments.Postgres.Tests.Lists;

/// <summary>
/// Every list of a merchant's objects is a look-up in an index that begins with the merchant: no table is read from end to end and nothing is sorted, whichever filters are given. The
/// plans are those of a database with other merchants' rows in it.
/// </summary>
public sealed class ListPlanTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncLifetime
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly MerchantId Merchant = new(new Guid("01980000-0000-7000-8000-000000000001"));
    private static readonly Bounds<DateTimeOffset> Morning = new(Start.AddMinutes(100), Start.AddMinutes(200));

    /// <summary>Three merchants with 4,000 objects each, one a minute.</summary>
    public async ValueTask InitializeAsync()
    {
        await using var connection = await database.Owner.OpenConnectionAsync();
        await using (var filled = new NpgsqlCommand("SELECT EXISTS (SELECT FROM payments.charges)", connection))
        {
            // The class shares one database.
            if ((bool)(await filled.ExecuteScalarAsync())!)
                return;
        }

        await using var command = new NpgsqlCommand(
            """
            CREATE TEMP TABLE rows AS
            SELECT ('01980000-0000-7000-8000-00000000000' || m)::uuid AS merchant_id, i, timestamptz '2026-03-01 00:00:00+00' + make_interval(mins => i) AS at,
                (lpad(to_hex((extract(epoch FROM timestamptz '2026-03-01 00:00:00+00') * 1000)::bigint + i * 60000), 12, '0') || '7000' || '8000' || lpad(to_hex(m), 4, '0') || lpad(to_hex(i), 8, '0'))::uuid AS id
            FROM generate_series(1, 3) m, generate_series(1, 4000) i;
            INSERT INTO payments.charges (bucket, merchant_id, id, status, currency, amount, capture_method, payment_token, provider,
                customer, metadata, created_at, updated_at)
            SELECT payments.bucket_of(merchant_id), merchant_id, id, CASE WHEN i % 10 = 0 THEN 'declined' ELSE 'captured' END, 'EUR',
                100 + i % 500, 'automatic', 'tok_visa', 'sandbox', 'customer ' || i % 50, '{}', at, at FROM rows;
            INSERT INTO payments.events (bucket, merchant_id, id, type, object_type, object_id, sequence, data, created_at)
            SELECT payments.bucket_of(merchant_id), merchant_id, id,
                CASE WHEN i % 10 = 0 THEN 'charge.declined' ELSE 'charge.captured' END, 'charge', id, 1, '{}', at FROM rows;
            INSERT INTO payments.balance_transactions (bucket, merchant_id, id, type, source_id, journal_key, currency, amount, fee, net,
                available_on, released_at, batch_id, created_at)
            SELECT payments.bucket_of(merchant_id), merchant_id, id, CASE WHEN i % 10 = 0 THEN 'refund' ELSE 'charge' END,
                'ch_' || replace(id::text, '-', ''), id::text, 'EUR', 100, 1, 99, '2026-03-03',
                at, CASE WHEN i < 1000 THEN '01980000-0000-7000-8000-0000000000ff'::uuid END, at FROM rows;
            INSERT INTO payments.payouts (bucket, merchant_id, id, batch_id, date, status, currency, amount, bank_account_id, rail, method,
                arrival_date, created_at, updated_at)
            SELECT payments.bucket_of(merchant_id), merchant_id, id,
                CASE WHEN i = 7 THEN '01980000-0000-7000-8000-0000000000ff'::uuid ELSE gen_random_uuid() END, '2026-03-03', 'paid', 'EUR',
                99, id, 'file', 'standard', '2026-03-03', at, at
            FROM rows WHERE i % 4 = 3;
            ANALYZE payments.charges, payments.events, payments.balance_transactions, payments.payouts;
            """, connection);
        await command.ExecuteNonQueryAsync();
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    public static TheoryData<string, ChargeFilter> Charges => new()
    {
        { "charges_pkey", new ChargeFilter() },
        { "charges_pkey", new ChargeFilter(Created: Morning) },
        { "charges_pkey", new ChargeFilter(Created: new Bounds<DateTimeOffset>(Start.AddDays(1), null)) },
        { "charges_by_status", new ChargeFilter(ChargeStatus.Expired) },
        { "charges_by_status", new ChargeFilter(ChargeStatus.Expired, Created: Morning) },
        { "charges_by_customer", new ChargeFilter(Customer: "customer 7") },
        { "charges_by_amount", new ChargeFilter(Amount: new Bounds<long>(123, 123)) },
        { "charges_by_amount", new ChargeFilter(ChargeStatus.Captured, Amount: new Bounds<long>(123, 123), Created: new Bounds<DateTimeOffset>(Start, null)) },
    };

    [Theory]
    [MemberData(nameof(Charges))]
    public async Task ListCharges_AnyFilter_IsALookUpInTheListsOrder(string index, ChargeFilter filter)
    {
        var reads = new ChargeReads(database.App);

        await AssertLookUpAsync(index, () => reads.ListCommand(Merchant, filter, 21, null));
        await AssertLookUpAsync(index, () => reads.ListCommand(Merchant, filter, 21, new ChargeId(IdOf(3000))));
    }

    /// <summary>A range of amounts meets many rows that are in no order of time: a few of them are sorted, or the newest are walked. An index finds either.</summary>
    [Theory]
    [InlineData(100L, 101L)]
    [InlineData(100L, 550L)]
    [InlineData(null, 1L)]
    [InlineData(590L, null)]
    public async Task ListCharges_ARangeOfAmounts_ReadsThroughAnIndexOfTheMerchant(long? least, long? most)
    {
        var plan = await ExplainAsync(new ChargeReads(database.App).ListCommand(Merchant, new ChargeFilter(Amount: new Bounds<long>(least, most)), 21, null));

        Assert.DoesNotContain("Seq Scan", plan, StringComparison.Ordinal);
        Assert.Matches(@"Index Cond: \(\(?\(?merchant_id = ", plan);
    }

    [Theory]
    [InlineData("events_pkey", null, false, false)]
    [InlineData("events_pkey", null, false, true)]
    [InlineData("events_by_type", "dispute.created", false, false)]
    [InlineData("events_by_type", "dispute.created", false, true)]
    public async Task ListEvents_AnyFilter_IsALookUpInTheListsOrder(string index, string? type, bool ofObject, bool range)
    {
        var events = new Events(database.App);
        var created = range ? Morning : default;

        await AssertLookUpAsync(index, () => events.ListCommand(Merchant, null, type, ofObject ? IdOf(5) : null, created, 21));
        await AssertLookUpAsync(index, () => events.ListCommand(Merchant, new EventId(IdOf(3000)), type, ofObject ? IdOf(5) : null, created, 21));
    }

    [Fact]
    public async Task ListEvents_OfOneObject_ReadsThatObjectsOnly()
    {
        var plan = await ExplainAsync(new Events(database.App).ListCommand(Merchant, null, null, IdOf(5), default, 21));

        Assert.Contains("events_by_object", plan, StringComparison.Ordinal);
        Assert.DoesNotContain("Seq Scan", plan, StringComparison.Ordinal);
    }

    public static TheoryData<string, BalanceTransactionFilter> BalanceTransactions => new()
    {
        { "balance_transactions_pkey", new BalanceTransactionFilter() },
        { "balance_transactions_pkey", new BalanceTransactionFilter(BalanceTransactionType.Charge) },
        { "balance_transactions_pkey", new BalanceTransactionFilter(Created: Morning) },
        { "balance_transactions_by_type", new BalanceTransactionFilter(BalanceTransactionType.DisputeFee) },
        { "balance_transactions_by_type", new BalanceTransactionFilter(BalanceTransactionType.DisputeFee, Created: Morning) },
        { "balance_transactions_by_batch", new BalanceTransactionFilter(Payout: new PayoutId(IdOf(7))) },
        { "payouts_pkey", new BalanceTransactionFilter(BalanceTransactionType.Payout) },
    };

    [Theory]
    [MemberData(nameof(BalanceTransactions))]
    public async Task ListBalanceTransactions_AnyFilter_IsALookUpInTheListsOrder(string index, BalanceTransactionFilter filter)
    {
        var reads = new BalanceTransactionReads(database.App);

        await AssertLookUpAsync(index, () => reads.ListCommand(Merchant, filter, 21, null));
        await AssertLookUpAsync(index, () => reads.ListCommand(Merchant, filter, 21, new BalanceTransactionId(IdOf(3000))));
    }

    [Fact]
    public async Task ListBalanceTransactions_OfOneSource_ReadsThatSourcesOnly()
    {
        var reads = new BalanceTransactionReads(database.App);
        var plan = await ExplainAsync(reads.ListCommand(Merchant, new BalanceTransactionFilter(Source: "ch_none"), 21, null));

        Assert.Contains("balance_transactions_by_source", plan, StringComparison.Ordinal);
        Assert.DoesNotContain("Seq Scan", plan, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ListBalanceTransactions_OfOnePayout_LooksItUpByItsKey()
    {
        var reads = new BalanceTransactionReads(database.App);
        var plan = await ExplainAsync(reads.ListCommand(Merchant, new BalanceTransactionFilter(Source: new PayoutId(IdOf(7)).ToString()), 21, null));

        Assert.Contains("balance_transactions_by_source", plan, StringComparison.Ordinal);
        Assert.Matches(@"payouts_[a-z_]+ on payouts(.*\n)+?.*Index Cond: .*id = ", plan);
        Assert.DoesNotContain("Seq Scan", plan, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Get_ByItsId_IsALookUpByTheKey()
    {
        await AssertLookUpAsync("balance_transactions_pkey", () => new BalanceTransactionReads(database.App).GetCommand(Merchant, new BalanceTransactionId(IdOf(7))));
        await using var volume = database.App.CreateCommand(Domain.Pricing.PricingSql.Volume);
        volume.Parameters.Add(new() { Value = Merchant.Value });
        volume.Parameters.Add(new() { Value = "EUR" });
        volume.Parameters.Add(new() { Value = new DateOnly(2026, 3, 1) });
        Assert.Contains("monthly_volumes_pkey", await ExplainAsync(volume), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Balance_OfAMerchant_ReadsItsAccountsByName()
    {
        await using var connection = await database.Owner.OpenConnectionAsync();
        await using var fill = new NpgsqlCommand(
            """
            WITH opened AS (
                INSERT INTO ledger.accounts (bucket, sign, min_balance, opened_at, currency, name)
                SELECT 0, 1, 0, now(), 'EUR', format('merchant/mer_%s/%s', lpad(to_hex(m), 32, '0'), part) FROM generate_series(1, 3000) m, unnest(ARRAY['pending', 'available']) part
                RETURNING id
            )
            INSERT INTO ledger.balances (account_id, bucket, sign, recorded_at, currency) SELECT id, 0, 1, now(), 'EUR' FROM opened;
            ANALYZE ledger.accounts, ledger.balances;
            """, connection);
        await fill.ExecuteNonQueryAsync();
        await using var command = database.App.CreateCommand(Domain.Ledger.LedgerSql.Accounts);
        var prefix = $"merchant/mer_{77:x32}/";
        command.Parameters.AddWithValue("prefix", prefix);
        command.Parameters.AddWithValue("upTo", prefix + '\x7f');
        command.Parameters.AddWithValue("afterName", "");
        command.Parameters.AddWithValue("afterCurrency", "");
        command.Parameters.AddWithValue("limit", 2000);
        command.Parameters.AddWithValue("mode", "live");

        var plan = await ExplainAsync(command);

        Assert.Contains("accounts_by_name", plan, StringComparison.Ordinal);
        Assert.DoesNotContain("Seq Scan", plan, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 37)]
    [InlineData(50, 57)]
    public async Task ListCharges_Created_FindsExactlyTheRange(int from, int to)
    {
        var reads = new ChargeReads(database.App);
        var created = new Bounds<DateTimeOffset>(Start.AddMinutes(from), Start.AddMinutes(to));

        var found = await reads.ListAsync(Merchant, new ChargeFilter(Created: created), 1000, null, default);

        Assert.Equal(Enumerable.Range(1, 4000).Where(i => i >= from && i <= to).Reverse(), found.Select(charge => (int)(charge.CreatedAt - Start).TotalMinutes));
    }

    [Fact]
    public async Task ListCharges_PageByPageWithFilters_ShowsEachOnce()
    {
        var reads = new ChargeReads(database.App);
        var filter = new ChargeFilter(ChargeStatus.Captured, Amount: new Bounds<long>(100, 120), Created: new Bounds<DateTimeOffset>(null, Start.AddMinutes(2000)));
        var seen = new List<Charge>();
        for (ChargeId? after = null; ;)
        {
            var page = await reads.ListAsync(Merchant, filter, 7, after, default);
            seen.AddRange(page);
            if (page.Count < 7)
                break;
            after = page[^1].Id;
        }

        Assert.Equal(
            Enumerable.Range(1, 2000).Where(i => i % 10 != 0 && i % 500 <= 20).Reverse(), seen.Select(charge => (int)(charge.CreatedAt - Start).TotalMinutes));
    }

    private static Guid IdOf(int i) =>
        new($"{Start.AddMinutes(i).ToUnixTimeMilliseconds():x12}70008000{1:x4}{i:x8}");

    private static async Task AssertLookUpAsync(string index, Func<NpgsqlCommand> command)
    {
        var plan = await ExplainAsync(command());

        Assert.Contains(index, plan, StringComparison.Ordinal);
        Assert.Matches(@"Index Cond: \(\(?\(?merchant_id = ", plan);
        Assert.DoesNotContain("Seq Scan", plan, StringComparison.Ordinal);
        Assert.DoesNotMatch(@"Sort +\(cost", plan);
    }

    private static async Task<string> ExplainAsync(NpgsqlCommand command)
    {
        await using (command)
        {
#pragma warning disable CA2100 // The statement of the code under test.
            command.CommandText = "EXPLAIN " + command.CommandText;
#pragma warning restore CA2100
            await using var row = await command.ExecuteReaderAsync();
            var plan = new List<string>();
            while (await row.ReadAsync())
                plan.Add(row.GetString(0));
            return string.Join('\n', plan);
        }
    }
}
