using System.Security.Cryptography;
using Dapper;
using Npgsql;
using Payments.Domain;

namespace Payments.Postgres.Tests.Database;

/// <summary>
/// Every table belongs to merchants and carries their bucket in all of its keys, or its comment says what else it is. Read from the
/// catalogue, so that a new table cannot be left out.
/// </summary>
public sealed class BucketTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private const string Tables =
        """
        WITH tables AS (
            SELECT c.oid, c.oid::regclass::text AS name, obj_description(c.oid, 'pg_class') AS comment, b.attnum AS bucket, b.attnotnull,
                b.atttypid::regtype::text AS type
            FROM pg_class c
            LEFT JOIN pg_attribute b ON b.attrelid = c.oid AND b.attname = 'bucket' AND NOT b.attisdropped
            WHERE c.relnamespace IN ('payments'::regnamespace, 'ledger'::regnamespace) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        )
        """;

    [Fact]
    public async Task Table_WithoutABucket_SaysWhatItIs() => Assert.Empty(await NamesAsync(
        """
        SELECT name FROM tables WHERE (bucket IS NULL) <> (coalesce(comment, '') ~ '^(Platform|Node) table\. ')
        UNION ALL
        SELECT name || ': rows of a merchant' FROM tables
        WHERE bucket IS NULL
            AND EXISTS (SELECT FROM pg_attribute m WHERE m.attrelid = tables.oid AND m.attname = 'merchant_id' AND m.attnotnull)
        """));

    [Fact]
    public async Task Table_OfMerchants_HasItsBucketAlways() => Assert.Empty(await NamesAsync(
        """
        SELECT name || ': ' || type FROM tables WHERE bucket IS NOT NULL AND (NOT attnotnull OR type <> 'smallint')
        """));

    [Fact]
    public async Task Table_OfMerchants_ChecksThatTheBucketIsTheMerchants() => Assert.Empty(await NamesAsync(
        """
        SELECT name FROM tables
        WHERE bucket IS NOT NULL AND (name = 'payments.merchants' OR EXISTS (
                SELECT FROM pg_attribute m WHERE m.attrelid = tables.oid AND m.attname = 'merchant_id'))
            AND NOT EXISTS (
            SELECT FROM pg_constraint k
            WHERE k.conrelid = tables.oid AND k.contype = 'c'
                AND (pg_get_constraintdef(k.oid) IN (
                    format(
                        'CHECK ((bucket = payments.bucket_of(%s)))',
                        CASE name WHEN 'payments.merchants' THEN 'id' ELSE 'merchant_id' END),
                    'CHECK (((merchant_id IS NULL) OR (bucket = payments.bucket_of(merchant_id))))')))
        """));

    [Fact]
    public async Task Key_OfATableOfMerchants_HoldsTheBucket() => Assert.Empty(await NamesAsync(
        """
        SELECT i.indexrelid::regclass::text FROM tables JOIN pg_index i ON i.indrelid = tables.oid
        WHERE bucket IS NOT NULL AND i.indisunique AND NOT bucket = ANY (i.indkey[0:i.indnkeyatts - 1])
        UNION ALL
        SELECT name || ': no primary key' FROM tables
        WHERE bucket IS NOT NULL AND name <> 'ledger.transfers'
            AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = tables.oid AND i.indisprimary)
        """));

    [Fact]
    public async Task ForeignKey_OfATableOfMerchants_HoldsTheBucketOnBothSides() => Assert.Empty(await NamesAsync(
        """
        SELECT k.conname || ' of ' || tables.name FROM tables
        JOIN pg_constraint k ON k.conrelid = tables.oid AND k.contype = 'f'
        LEFT JOIN tables other ON other.oid = k.confrelid
        WHERE (tables.bucket IS NOT NULL OR other.bucket IS NOT NULL)
            AND NOT EXISTS (SELECT FROM unnest(k.conkey, k.confkey) AS pair (mine,
                theirs) WHERE mine = tables.bucket AND theirs = other.bucket)
        """));

    /// <summary>The rules must see what breaks them, or an empty answer proves nothing.</summary>
    [Theory]
    [InlineData("CREATE TABLE payments.later (id uuid PRIMARY KEY)", nameof(Table_WithoutABucket_SaysWhatItIs))]
    [InlineData(
        "CREATE TABLE payments.later (merchant_id uuid NOT NULL); COMMENT ON TABLE payments.later IS 'Platform table. Not true.'",
        nameof(Table_WithoutABucket_SaysWhatItIs))]
    [InlineData("CREATE UNIQUE INDEX later ON payments.refunds (id) INCLUDE (bucket)", nameof(Key_OfATableOfMerchants_HoldsTheBucket))]
    [InlineData("CREATE TABLE payments.later (bucket integer NOT NULL, id uuid)", nameof(Table_OfMerchants_HasItsBucketAlways))]
    [InlineData("CREATE TABLE payments.later (bucket smallint NOT NULL, merchant_id uuid)",
        nameof(Table_OfMerchants_ChecksThatTheBucketIsTheMerchants))]
    [InlineData("CREATE UNIQUE INDEX later ON payments.refunds (merchant_id, charge_id)", nameof(Key_OfATableOfMerchants_HoldsTheBucket))]
    [InlineData(
        "CREATE TABLE payments.later (bucket smallint, run_id uuid REFERENCES payments.payout_runs (id))",
            nameof(ForeignKey_OfATableOfMerchants_HoldsTheBucketOnBothSides))]
    public async Task Rule_OfASchemaThatBreaksIt_IsNotKept(string change, string rule)
    {
        await using var connection = await database.Owner.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
        await connection.ExecuteAsync($"SET LOCAL ROLE payments_owner; {change}", transaction: transaction);

        _changed = connection;
        var kept = (Task)GetType().GetMethod(rule)!.Invoke(this, null)!;

        await Assert.ThrowsAnyAsync<Xunit.Sdk.XunitException>(() => kept);
        await transaction.RollbackAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task BucketOf_AnyMerchant_IsWhatTheAppComputes()
    {
        var merchants = Enumerable.Range(0, 300).Select(_ => PrefixedId.New<MerchantId>(DateTimeOffset.UnixEpoch))
            .SelectMany(live => new[] { live, live.In(Mode.Test),
                new MerchantId(new Guid(RandomNumberGenerator.GetBytes(16))) }).Append(MerchantId.Platform).ToArray();
        await using var connection = await database.App.OpenConnectionAsync(TestContext.Current.CancellationToken);

        var buckets = (await connection.QueryAsync<(short Bucket, string Mode)>(
            """
            SELECT payments.bucket_of(m), payments.mode_of(payments.bucket_of(m))
            FROM unnest(@merchants) WITH ORDINALITY AS t (m, n)
            ORDER BY n
            """,
            new { merchants = merchants.Select(merchant => merchant.Value).ToArray() })).ToArray();

        Assert.Equal(merchants.Select(merchant => (merchant.Bucket, merchant.Mode.ToString().ToLowerInvariant())), buckets);
        Assert.Contains(buckets, row => row.Bucket >= MerchantId.LiveBuckets);
    }

    private NpgsqlConnection? _changed;

    private async Task<IReadOnlyList<string>> NamesAsync(string query)
    {
        if (_changed is not null)
            return (await _changed.QueryAsync<string>(Tables + query)).AsList();
        await using var connection = await database.Owner.OpenConnectionAsync(TestContext.Current.CancellationToken);
        return (await connection.QueryAsync<string>(Tables + query)).AsList();
    }
}
