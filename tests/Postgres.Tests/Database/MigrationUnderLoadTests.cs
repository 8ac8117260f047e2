using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Dapper;
using Npgsql;
using Payments.Domain.Database;

namespace Payments.Postgres.Tests.Database;

/// <summary>
/// Every migration after the baseline is applied while the app writes to every table. The migrator's lock timeout bounds how long a writer waits; the
/// longest stall of each migration is in the test's output.
/// </summary>
public sealed class MigrationUnderLoadTests(TestServer server, ITestOutputHelper output) : IAsyncLifetime
{
    // What comes after the baseline meets tables with rows and writers.
    private const int Baseline = 1;

    // Is always applied beside the writers too, so that the test does not pass for want of migrations.
    private static readonly Migration Column = new(8998, "a_column", "ALTER TABLE payments.events ADD COLUMN later text");

    // Two seconds of waiting for locks, and what the migration does under them: far more than any of them takes, and far less than a request waits.
    private static readonly TimeSpan Bearable = TimeSpan.FromSeconds(10);

    private string? _database;

    public async ValueTask InitializeAsync() => _database = await server.CreateEmptyAsync();

    public async ValueTask DisposeAsync()
    {
        if (_database is not null)
            await server.DropAsync(_database);
    }

    [Fact]
    public async Task ApplyAsync_EachMigrationUnderWrites_HoldsNoWriterUpForLong()
    {
        var ct = TestContext.Current.CancellationToken;
        await using var owner = PaymentsDataSource.Create(server.OwnerOf(_database!) + ";Pooling=false");
        await using var app = PaymentsDataSource.Create(server.AppOf(_database!) + ";Maximum Pool Size=8");
        var migrator = new Migrator(owner, TimeProvider.System);
        await migrator.ApplyAsync(Baseline, ct);
        await FillAsync(app, owner, ct);
        foreach (var migration in Migration.Embedded.Where(migration => migration.Number > Baseline).Append(Column))
        {
            var tables = await TablesAsync(app, ct);
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
            var stalls = new ConcurrentDictionary<string, TimeSpan>();
            var writes = new int[3];
            var writers = Enumerable.Range(0, writes.Length).Select(i => WriteAsync(app, tables, i, stalls, writes, stop.Token)).ToArray();
            await Eventually(() => writes.All(count => count >= tables.Count), ct);
            await migrator.ApplyAsync(migration, ct);
            await stop.CancelAsync();
            await Task.WhenAll(writers);
            var longest = stalls.MaxBy(stall => stall.Value);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{migration}: longest stall {longest.Value.TotalMilliseconds:0} ms ({longest.Key}), {writes.Sum()} writes"));
            Assert.True(longest.Value < Bearable, $"{migration} held a write to {longest.Key} up for {longest.Value}.");
        }

        await using var connection = await owner.OpenConnectionAsync(ct);
        Assert.Equal(
            [.. Migration.Embedded.Append(Column).Select(migration => migration.Number)],
            await connection.QueryAsync<int>("SELECT number FROM payments.schema_migrations ORDER BY number"));
    }

    [Fact]
    public async Task ApplyAsync_SomebodyHoldsItsTable_LetsOthersPassAndGetsThereInTheEnd()
    {
        var ct = TestContext.Current.CancellationToken;
        await using var owner = PaymentsDataSource.Create(server.OwnerOf(_database!) + ";Pooling=false");
        var migrator = new Migrator(owner, TimeProvider.System);
        await migrator.ApplyAsync(Baseline, ct);
        await using var app = PaymentsDataSource.Create(server.AppOf(_database!) + ";Pooling=false");
        await using var holder = await app.OpenConnectionAsync(ct);
        var transaction = await holder.BeginTransactionAsync(ct);
        await holder.ExecuteAsync("LOCK TABLE payments.merchants IN ROW EXCLUSIVE MODE", transaction: transaction);

        var blocked = migrator.ApplyAsync(new Migration(8999, "needs_merchants", "LOCK TABLE payments.merchants IN ACCESS EXCLUSIVE MODE; CREATE TABLE payments.made_at_last ()"), ct);
        await Eventually(async () => await WaitingAsync(owner, ct), ct);
        var waited = Stopwatch.GetTimestamp();
        await using (var writer = await app.OpenConnectionAsync(ct))
            await writer.ExecuteAsync("UPDATE payments.merchants SET name = name WHERE false");
        var passed = Stopwatch.GetElapsedTime(waited);
        await transaction.CommitAsync(ct);
        await blocked;

        Assert.True(passed < Bearable, $"A writer waited {passed} behind a migration that could not have its lock.");
        await using var connection = await owner.OpenConnectionAsync(ct);
        Assert.True(await connection.ExecuteScalarAsync<bool>("SELECT to_regclass('payments.made_at_last') IS NOT NULL"));
    }

    [Fact]
    public async Task ApplyAsync_OutsideATransaction_BuildsAnIndexBesideAWriterThatHoldsTheTable()
    {
        var ct = TestContext.Current.CancellationToken;
        await using var owner = PaymentsDataSource.Create(server.OwnerOf(_database!) + ";Pooling=false");
        var migrator = new Migrator(owner, TimeProvider.System);
        await migrator.ApplyAsync(Baseline, ct);
        var index = new Migration(8999, "an_index", "-- migrate: no transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS merchants_by_country ON payments.merchants (country)");

        await migrator.ApplyAsync(index, ct);

        await using var connection = await owner.OpenConnectionAsync(ct);
        Assert.True(await connection.ExecuteScalarAsync<bool>("SELECT indisvalid FROM pg_index WHERE indexrelid = 'payments.merchants_by_country'::regclass"));
        Assert.Equal("an_index", await connection.ExecuteScalarAsync<string>("SELECT name FROM payments.schema_migrations WHERE number = 8999"));
    }

    private static async Task FillAsync(NpgsqlDataSource app, NpgsqlDataSource owner, CancellationToken ct)
    {
        await using var connection = await app.OpenConnectionAsync(ct);
        await connection.ExecuteAsync(
            """
            INSERT INTO payments.events (bucket, merchant_id, id, type, object_type, object_id, sequence, data, created_at)
            SELECT payments.bucket_of(m.id), m.id, gen_random_uuid(), 'charge.captured', 'charge', gen_random_uuid(), 1, '{}', '2026-01-01Z'
            FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, 20000) OFFSET 0) AS m;
            INSERT INTO payments.provider_events (provider, event_id, id, type, status, payload, received_at, processed_at)
            SELECT 'sandbox', n::text, gen_random_uuid(), 'payment.succeeded', 'applied', '\x7b7d', '2026-01-01Z', '2026-01-01Z' FROM generate_series(1, 20000) n;
            INSERT INTO payments.inbox (consumer, message_id, handled_at) SELECT 'test', gen_random_uuid(), '2026-01-01Z' FROM generate_series(1, 20000);
            """);
        await using var analyze = await owner.OpenConnectionAsync(ct);
        await analyze.ExecuteAsync("ANALYZE payments.events, payments.provider_events, payments.inbox");
    }

    private static async Task<List<string>> TablesAsync(NpgsqlDataSource app, CancellationToken ct)
    {
        await using var connection = await app.OpenConnectionAsync(ct);
        return (await connection.QueryAsync<string>(
            """
            SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'payments' AND c.relkind IN ('r', 'p') AND has_table_privilege(c.oid, 'INSERT') ORDER BY 1
            """)).AsList();
    }

    // Every write takes this lock of its table, whatever it writes.
    private static async Task WriteAsync(NpgsqlDataSource app, List<string> tables, int writer, ConcurrentDictionary<string, TimeSpan> stalls, int[] writes, CancellationToken ct)
    {
        for (var i = writer; !ct.IsCancellationRequested; i++)
        {
            var table = tables[i % tables.Count];
            var started = Stopwatch.GetTimestamp();
            await using (var connection = await app.OpenConnectionAsync(CancellationToken.None))
            await using (var transaction = await connection.BeginTransactionAsync(CancellationToken.None))
            {
                await connection.ExecuteAsync($"LOCK TABLE {table} IN ROW EXCLUSIVE MODE", transaction: transaction);
                await transaction.CommitAsync(CancellationToken.None);
            }

            var took = Stopwatch.GetElapsedTime(started);
            stalls.AddOrUpdate(table, took, (_, longest) => took > longest ? took : longest);
            writes[writer]++;
        }
    }

    private static async Task<bool> WaitingAsync(NpgsqlDataSource owner, CancellationToken ct)
    {
        await using var connection = await owner.OpenConnectionAsync(ct);
        return await connection.ExecuteScalarAsync<bool>("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'payments.merchants'::regclass)");
    }

    private static Task Eventually(Func<bool> holds, CancellationToken ct) => Eventually(() => Task.FromResult(holds()), ct);

    private static async Task Eventually(Func<Task<bool>> holds, CancellationToken ct)
    {
        var started = Stopwatch.GetTimestamp();
        while (!await holds())
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(60), "Not within a minute.");
            await Task.Delay(5, ct);
        }
    }
}
