using Dapper;
using Payments.Domain.Ledger;
using static Payments.Postgres.Tests.Ledger.LedgerFixture;

namespace Payments.Postgres.Tests.Ledger;

/// <summary>Whoever pulls the guards out can write the ledger, and is found: each case with the check and the row that tell.</summary>
public sealed class LedgerTamperingTests(TestServer server) : IAsyncLifetime
{
    private const string Unguard = """
        ALTER TABLE ledger.transfers DISABLE TRIGGER append_only;
        ALTER TABLE ledger.accounts DISABLE TRIGGER append_only;
        ALTER TABLE ledger.balances DISABLE TRIGGER append_only;
        ALTER TABLE ledger.seals DISABLE TRIGGER append_only;
        """;

    private const string Guard = """
        ;
        ALTER TABLE ledger.transfers ENABLE TRIGGER append_only;
        ALTER TABLE ledger.accounts ENABLE TRIGGER append_only;
        ALTER TABLE ledger.balances ENABLE TRIGGER append_only;
        ALTER TABLE ledger.seals ENABLE TRIGGER append_only;
        """;

    private readonly TestDatabase _database = new(server);

    /// <summary>What the owner can do after disabling the guards (and enabling them again), with the check and the row that tell.</summary>
    public static TheoryData<string, string, string> UnguardedWrites => new()
    {
        { "UPDATE ledger.transfers SET amount = amount + 1 WHERE journal_id = 2", "replay", "transfer 2/1" },
        { "UPDATE ledger.transfers SET amount = amount + 1 WHERE journal_id = 2", "seals", "transfer 2/1" },
        { "UPDATE ledger.transfers SET debit_balance = 7 WHERE journal_id = 3 AND line = 1", "replay", "transfer 3/1" },
        { "UPDATE ledger.transfers SET credit_version = 70 WHERE journal_id = 3 AND line = 1", "replay", "transfer 3/1" },
        { "UPDATE ledger.transfers SET kind = 'gift' WHERE journal_id = 4 AND line = 1", "seals", "transfer 4/1" },
        { "UPDATE ledger.transfers SET external_key = 'mine' WHERE journal_id = 4 AND line = 1", "seals", "transfer 4/1" },
        { "UPDATE ledger.transfers SET effective_at = '2020-01-01Z' WHERE journal_id = 4 AND line = 1", "seals", "transfer 4/1" },
        { "UPDATE ledger.transfers SET recorded_at = '2027-01-01Z' WHERE journal_id = 1", "replay", "transfer 2/1" },
        { "DELETE FROM ledger.transfers WHERE journal_id = 3", "replay", "transfer 4/1" },
        { "DELETE FROM ledger.transfers WHERE journal_id = 3", "seals", "transfer 4/1" },
        { "DELETE FROM ledger.transfers WHERE journal_id = (SELECT max(journal_id) FROM ledger.transfers)", "balances", "account" },
        { "DELETE FROM ledger.transfers WHERE journal_id = 3 AND line = 1", "journals", "journal 3" },
        { "INSERT INTO ledger.transfers SELECT 100, amount, debit_version + 50, debit_balance, credit_version + 50, credit_balance, recorded_at, debit_account, credit_account, line, bucket, code, effective_at, merchant_id, kind, 'mine' FROM ledger.transfers WHERE journal_id = 2 AND line = 1", "replay", "transfer 100/1" },
        { "UPDATE ledger.transfers SET credit_account = 99 WHERE journal_id = 2 AND line = 1", "replay", "transfer 2/1" },
        { "UPDATE ledger.balances SET balance = balance + 1 WHERE account_id = 2", "balances", "account" },
        { "UPDATE ledger.balances SET balance = balance + 1 WHERE account_id = 2", "totals", "currency EUR" },
        { "UPDATE ledger.balances SET min_balance = NULL WHERE min_balance IS NOT NULL", "balances", "account" },
        { "DELETE FROM ledger.balances WHERE account_id = 2", "balances", "account" },
        { "UPDATE ledger.accounts SET name = name || '_x' WHERE id = 1", "seals", "seal 1" },
        { "UPDATE ledger.seals SET hash = sha256('') WHERE number = 1", "seals", "seal 1" },
        { "DELETE FROM ledger.seals WHERE number = 1", "seals", "seal 2" },
        { "UPDATE ledger.seals SET to_journal = to_journal + 1 WHERE number = 2", "seals", "seal 2" },
    };

    public async ValueTask InitializeAsync()
    {
        await _database.InitializeAsync();
        await ChargeAsync(1, 6);
        await _database.App.SealAllAsync();
        await ChargeAsync(7, 9);
        await _database.App.SealAllAsync();
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Fact]
    public async Task Seal_HoldsTheBytesThatItHasAlwaysHeld()
    {
        await using var connection = await _database.Owner.OpenConnectionAsync();

        // Spelled out: a change of these bytes would break every chain that exists.
        var same = await connection.QueryAsync<bool>(
            """
            SELECT s.hash = sha256(s.previous || int8send(s.to_journal) || int4send(s.to_account)
                || coalesce((
                    SELECT string_agg(record_send(ROW(
                        t.journal_id, t.line, t.bucket, t.debit_account, t.credit_account, t.amount, t.debit_version, t.debit_balance, t.credit_version, t.credit_balance, t.recorded_at, t.code, t.effective_at,
                        t.merchant_id, t.kind, t.external_key)), '' ORDER BY t.journal_id, t.line)
                    FROM ledger.transfers t WHERE t.journal_id > s.after_journal AND t.journal_id <= s.to_journal), '')
                || coalesce((
                    SELECT string_agg(record_send(ROW(a.id, a.bucket, a.sign, a.min_balance, a.opened_at, a.merchant_id, a.currency, a.name)), '' ORDER BY a.id)
                    FROM ledger.accounts a WHERE a.id > s.after_account AND a.id <= s.to_account), ''))
            FROM ledger.seals s
            """);

        Assert.NotEmpty(same);
        Assert.All(same, Assert.True);
    }

    [Theory]
    [MemberData(nameof(UnguardedWrites))]
    public async Task DirectSql_AsTheOwnerWithoutGuards_IsFoundWithItsRow(string sql, string check, string row)
    {
        await _database.Owner.ExecuteAsync(Unguard + sql + Guard);

        var findings = (await _database.Owner.VerifyAsync()).Findings;

        Assert.Contains(findings, finding => finding.Check == check && finding.Row.StartsWith(row, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("ALTER TABLE ledger.transfers DISABLE TRIGGER append_only", "table ledger.transfers")]
    [InlineData("ALTER TABLE ledger.seals ENABLE REPLICA TRIGGER append_only", "table ledger.seals")]
    [InlineData("DROP TRIGGER append_only ON ledger.accounts", "table ledger.accounts")]
    [InlineData("GRANT INSERT ON ledger.transfers TO payments_app", "table ledger.transfers")]
    public async Task Verify_GuardIsDown_NamesTheTable(string sql, string row)
    {
        await _database.Owner.ExecuteAsync(sql);

        var finding = Assert.Single((await _database.Owner.VerifyAsync()).Findings);

        Assert.Equal(("protection", row), (finding.Check, finding.Row));
    }

    [Fact]
    public async Task Verify_ChainWasMadeAnew_IsFoundByASealKeptElsewhere()
    {
        var kept = (await new LedgerSealing(_database.App).ListAsync(0, 1, CancellationToken.None))[0];
        await _database.Owner.ExecuteAsync(Unguard + "UPDATE ledger.transfers SET kind = 'gift' WHERE line = 1; DELETE FROM ledger.seals" + Guard);
        await _database.App.SealAllAsync();

        Assert.Empty((await _database.Owner.VerifyAsync()).Findings);
        Assert.Equal("seals", Assert.Single((await _database.Owner.VerifyAsync(kept)).Findings).Check);
    }

    [Fact]
    public async Task Seal_ATransactionIsStillRunning_WaitsForIt()
    {
        var merchant = TestMerchants.Next();
        var posting = new LedgerPosting(_database.App);
        await using var connection = await _database.App.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await posting.PostAsync(connection, transaction, [Charge(merchant, 50)], Now, CancellationToken.None);
        await ChargeAsync(51, 52);
        var sealing = new LedgerSealing(_database.App);

        for (var i = 0; i < 5; i++)
            await sealing.SealAsync(Now, CancellationToken.None);
        var before = await _database.Owner.VerifyAsync();
        await transaction.CommitAsync();
        await _database.App.SealAllAsync();
        var after = await _database.Owner.VerifyAsync();

        Assert.Equal(9, before.Head!.ToJournal);
        Assert.Equal(12, after.Head!.ToJournal);
        Assert.Empty(after.Findings);
    }

    private Task ChargeAsync(int from, int to) => _database.App.PostChargesAsync(from, to);
}
