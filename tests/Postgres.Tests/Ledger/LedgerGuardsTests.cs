using Npgsql;

namespace Payments.Postgres.Tests.Ledger;

/// <summary>Direct SQL against the ledger is refused: to the app by its grants, to the owner by the triggers.</summary>
public sealed class LedgerGuardsTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncLifetime
{
    public static TheoryData<string> Writes =>
    [
        "INSERT INTO ledger.transfers SELECT * FROM ledger.transfers",
        "UPDATE ledger.transfers SET amount = amount + 1",
        "DELETE FROM ledger.transfers",
        "TRUNCATE ledger.transfers",
        "UPDATE ledger.balances SET balance = balance + 1",
        "DELETE FROM ledger.balances",
        "INSERT INTO ledger.balances (account_id, bucket, sign, currency, recorded_at) VALUES (999, 0, 1, 'EUR', '2026-01-01Z')",
        "UPDATE ledger.accounts SET min_balance = NULL",
        "DELETE FROM ledger.accounts",
        "INSERT INTO ledger.accounts (bucket, sign, opened_at, currency, name) VALUES (0, 1, '2026-01-01Z', 'EUR', 'platform/mine')",
        "UPDATE ledger.seals SET hash = ''",
        "DELETE FROM ledger.seals",
        "TRUNCATE ledger.seals",
        "UPDATE ledger.seal_mark SET journal_id = 0",
        "SELECT nextval('ledger.journal_ids')",
        "SELECT setval('ledger.journal_ids', 1)",
        "ALTER TABLE ledger.transfers DISABLE TRIGGER ALL",
        "DROP TRIGGER append_only ON ledger.transfers",
        "DROP TABLE ledger.transfers",
        "CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "SET session_replication_role = replica",
        "SET ROLE payments_owner",
        "BEGIN; LOCK ledger.transfers IN ACCESS EXCLUSIVE MODE",
    ];

    /// <summary>What the owner is refused while the guards stand.</summary>
    public static TheoryData<string> GuardedWrites =>
    [
        "UPDATE ledger.transfers SET amount = amount + 1",
        "DELETE FROM ledger.transfers",
        "TRUNCATE ledger.transfers",
        "DELETE FROM ledger.balances",
        "TRUNCATE ledger.balances",
        "UPDATE ledger.accounts SET min_balance = NULL",
        "DELETE FROM ledger.accounts",
        "TRUNCATE ledger.accounts",
        "UPDATE ledger.seals SET hash = ''",
        "DELETE FROM ledger.seals",
        "TRUNCATE ledger.seals",
    ];

    public async ValueTask InitializeAsync()
    {
        await database.App.PostChargesAsync(1, 3);
        await database.App.SealAllAsync();
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Theory]
    [MemberData(nameof(Writes))]
    public async Task DirectSql_AsTheApp_IsRefused(string sql)
    {
        var refused = await Assert.ThrowsAsync<PostgresException>(() => database.App.ExecuteAsync(sql));

        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
        Assert.Empty((await database.Owner.VerifyAsync()).Findings);
    }

    [Theory]
    [MemberData(nameof(GuardedWrites))]
    public async Task DirectSql_AsTheOwner_IsRefusedWithItsOwnCode(string sql)
    {
        var refused = await Assert.ThrowsAsync<PostgresException>(() => database.Owner.ExecuteAsync(sql));

        Assert.Equal("LG001", refused.SqlState);
        Assert.Empty((await database.Owner.VerifyAsync()).Findings);
    }
}
