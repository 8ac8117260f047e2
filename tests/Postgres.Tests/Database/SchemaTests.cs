using Dapper;
using Npgsql;
using Payments.Domain.Database;
using Payments.Kit;

namespace Payments.Postgres.Tests.Database;

/// <summary>The schema files are today's truth: what migrations make of a database is what the files say.</summary>
public sealed class SchemaTests(TestServer server, TestDatabase migrated) : IClassFixture<TestDatabase>, IAsyncLifetime
{
    private string? _database;

    public async ValueTask InitializeAsync() => _database = await server.CreateEmptyAsync();

    public async ValueTask DisposeAsync()
    {
        if (_database is not null)
            await server.DropAsync(_database);
    }

    [Fact]
    public async Task Migrations_AppliedInTheirOrder_MakeWhatTheSchemaFilesSay()
    {
        var ct = TestContext.Current.CancellationToken;
        await using var files = await ApplyFilesAsync(SchemaFiles.All, ct);

        var (expected, actual) = (await SchemaDump.ReadAsync(files, ct), await SchemaDump.ReadAsync(migrated.Owner, ct));

        Assert.Equal([], expected.Except(actual).Select(line => $"only in the files: {line}"));
        Assert.Equal([], actual.Except(expected).Select(line => $"only by migrations: {line}"));
    }

    [Theory]
    [InlineData("ALTER TABLE payments.refunds ADD COLUMN later text")]
    [InlineData("ALTER TABLE payments.refunds ALTER COLUMN reason SET NOT NULL")]
    [InlineData("ALTER TABLE payments.refunds ALTER COLUMN reason SET DEFAULT 'duplicate'")]
    [InlineData("ALTER TABLE payments.refunds ADD CHECK (amount < 5)")]
    [InlineData("ALTER TABLE payments.refunds SET (fillfactor = 50)")]
    [InlineData("ALTER TABLE ledger.seals ALTER COLUMN digests SET STORAGE EXTENDED")]
    [InlineData("CREATE INDEX refunds_by_reason ON payments.refunds (reason)")]
    [InlineData("GRANT UPDATE ON payments.fee_plans TO payments_app")]
    [InlineData("ALTER TABLE ledger.transfers DISABLE TRIGGER append_only")]
    [InlineData("DROP TRIGGER append_only ON payments.audit_log")]
    [InlineData("ALTER FUNCTION ledger.post RESET enable_seqscan")]
    [InlineData("GRANT EXECUTE ON FUNCTION ledger.refuse_change TO payments_app")]
    [InlineData("COMMENT ON COLUMN payments.refunds.reason IS 'Why.'")]
    [InlineData("CREATE VIEW payments.some_refunds AS SELECT id FROM payments.refunds")]
    public async Task Dump_OfASchemaThatDiffers_Differs(string change)
    {
        var ct = TestContext.Current.CancellationToken;
        await using var files = await ApplyFilesAsync(SchemaFiles.All, ct);
        var before = await SchemaDump.ReadAsync(files, ct);
        await using (var connection = await files.OpenConnectionAsync(ct))
            await connection.ExecuteAsync(new CommandDefinition($"SET ROLE payments_owner; {change}", cancellationToken: ct));

        Assert.NotEqual(before, await SchemaDump.ReadAsync(files, ct));
    }

    [Fact]
    public async Task Schema_OfEveryTableAndView_HasAComment()
    {
        await using var connection = await migrated.Owner.OpenConnectionAsync(TestContext.Current.CancellationToken);

        var silent = await connection.QueryAsync<string>(
            """
            SELECT c.oid::regclass::text FROM pg_class c
            WHERE c.relnamespace IN ('payments'::regnamespace, 'ledger'::regnamespace) AND c.relkind IN ('r', 'p', 'v', 'm')
                AND obj_description(c.oid, 'pg_class') IS NULL
            """);

        Assert.Empty(silent);
    }

    [Fact]
    public async Task Document_OfTheSchema_IsUpToDate()
    {
        var document = await SchemaDocument.WriteAsync(migrated.Owner, TestContext.Current.CancellationToken);
        var committed = Path.Combine(Repository.Root, "docs", "schema.md");
        if (File.Exists(committed) && await File.ReadAllTextAsync(committed, TestContext.Current.CancellationToken) == document)
            return;

        Directory.CreateDirectory(Repository.Data);
        await File.WriteAllTextAsync(Path.Combine(Repository.Data, "schema.md"), document, TestContext.Current.CancellationToken);
        Assert.Fail("docs/schema.md does not describe this schema. Run: cp local/.data/schema.md docs/schema.md");
    }

    private async Task<NpgsqlDataSource> ApplyFilesAsync(string sql, CancellationToken ct)
    {
        var owner = PaymentsDataSource.Create(server.OwnerOf(_database!) + ";Pooling=false");
        await using var connection = await owner.OpenConnectionAsync(ct);
        await connection.ExecuteAsync(new CommandDefinition(MigratorSql.Session + MigratorSql.CreateHistory + sql, cancellationToken: ct));
        return owner;
    }
}
