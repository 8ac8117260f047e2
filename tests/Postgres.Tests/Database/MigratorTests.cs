using Dapper;
using Npgsql;
using Payments.Domain.Database;

namespace Payments.Postgres.Tests.Database;

public sealed class MigratorTests(TestServer server) : IAsyncLifetime
{
    private string? _database;

    public async ValueTask InitializeAsync() => _database = await server.CreateEmptyAsync();

    public async ValueTask DisposeAsync()
    {
        if (_database is not null)
            await server.DropAsync(_database);
    }

    [Fact]
    public async Task ApplyAsync_TwiceAndAtOnce_AppliesEachMigrationOnce()
    {
        await using var owner = Owner();

        var runs = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => new Migrator(owner, TimeProvider.System).ApplyAsync()));

        Assert.Equal(Migration.Embedded, runs.SelectMany(run => run).OrderBy(migration => migration.Number));
        Assert.Empty(await new Migrator(owner, TimeProvider.System).ApplyAsync());
    }

    [Fact]
    public async Task StatusAsync_EmptyDatabase_EverythingIsPending()
    {
        await using var owner = Owner();

        Assert.All(await new Migrator(owner, TimeProvider.System).StatusAsync(), state => Assert.Null(state.AppliedAt));
    }

    [Fact]
    public async Task ApplyAsync_AppliedFileWasChanged_IsAnErrorThatNamesIt()
    {
        await using var owner = Owner();
        await new Migrator(owner, TimeProvider.System).ApplyAsync();
        await ExecuteAsync(owner, "UPDATE payments.schema_migrations SET checksum = 'other' WHERE number = 1");

        var error = await Assert.ThrowsAsync<MigrationException>(() => new Migrator(owner, TimeProvider.System).ApplyAsync());

        Assert.Contains("0001_baseline was changed", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task StatusAsync_AppliedFileIsMissing_IsAnErrorThatNamesIt()
    {
        await using var owner = Owner();
        await new Migrator(owner, TimeProvider.System).ApplyAsync();
        await ExecuteAsync(owner, "INSERT INTO payments.schema_migrations VALUES (9999, 'from_the_future', 'x', '2026-01-01Z')");

        var error = await Assert.ThrowsAsync<MigrationException>(() => new Migrator(owner, TimeProvider.System).StatusAsync());

        Assert.Contains("9999_from_the_future", error.Message, StringComparison.Ordinal);
        Assert.Contains("missing", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ApplyAsync_Done_TheAppWritesPaymentsAndOnlyReadsTheLedger()
    {
        await using var owner = Owner();
        await new Migrator(owner, TimeProvider.System).ApplyAsync();
        await ExecuteAsync(owner, """
            SET ROLE payments_owner;
            CREATE TABLE payments.later (id bigint PRIMARY KEY);
            CREATE TABLE ledger.later (id bigint PRIMARY KEY);
            """);
        await using var app = PaymentsDataSource.Create(server.AppOf(_database!) + ";Pooling=false");

        await ExecuteAsync(app, "INSERT INTO payments.later VALUES (1); UPDATE payments.later SET id = 2; DELETE FROM payments.later; SELECT FROM ledger.later");

        foreach (var sql in new[] { "INSERT INTO ledger.later VALUES (1)", "CREATE TABLE payments.mine ()", "CREATE TABLE public.mine ()", "DROP TABLE payments.later" })
        {
            var refused = await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync(app, sql));
            Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
        }
    }

    private NpgsqlDataSource Owner() => PaymentsDataSource.Create(server.OwnerOf(_database!) + ";Pooling=false");

    private static async Task ExecuteAsync(NpgsqlDataSource dataSource, string sql)
    {
        await using var connection = await dataSource.OpenConnectionAsync();
        await connection.ExecuteAsync(sql);
    }
}
