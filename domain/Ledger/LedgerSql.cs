namespace Payments.Domain.Ledger;

internal static class LedgerSql
{
    // A merchant's account has the mode of the merchant. A platform account has stripes in both modes.
    private const string OfMode = "(a.merchant_id IS NOT NULL OR payments.mode_of(a.bucket) = @mode)";

    public const string OpenAccounts = "SELECT ledger.open_accounts($1, $2, $3, $4, $5, $6, $7)";

    // Postgres buffers the rows of a function in FROM, but not those of one in a select list. OFFSET 0 makes it call the function only
    // once.
    public const string Post = """
        SELECT (p.answer).statuses, (p.answer).journal_ids
        FROM (SELECT ledger.post($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) AS answer OFFSET 0) p
        """;

    /// <summary>As <see cref="Post"/>, but returns no answers: it raises <see cref="Refused"/> if a journal is refused.</summary>
    public const string PostAll = """
        SELECT ledger.all_posted((p.answer).statuses, $2, $9)
        FROM (SELECT ledger.post($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) AS answer OFFSET 0) p
        """;

    /// <summary>The error that <see cref="PostAll"/> raises.</summary>
    public const string Refused = "LG003";

    public const string Seal = "SELECT ledger.seal(@now, @journals)";

    public const string Seals = """
        SELECT number, to_journal, sealed_at, encode(hash, 'hex') AS hash FROM ledger.seals WHERE number > @after ORDER BY number LIMIT @limit
        """;

    public const string Balance = $"""
        SELECT coalesce(sum(b.balance), 0)::bigint
        FROM ledger.accounts a
        JOIN ledger.balances b ON b.account_id = a.id
        WHERE a.name = @name AND a.currency = @currency AND {OfMode}
        """;

    public const string BalanceAt = $"""
        SELECT coalesce(sum(ledger.balance_after(a.id, ledger.version_at(a.id, @at))), 0)::bigint
        FROM ledger.accounts a
        WHERE a.name = @name AND a.currency = @currency AND {OfMode}
        """;

    public const string Accounts = """
        SELECT a.name, a.currency, sum(b.balance)::bigint AS balance, sum(b.version)::bigint AS version
        FROM ledger.accounts a
        JOIN ledger.balances b ON b.account_id = a.id
        WHERE a.name >= @prefix AND a.name <= @upTo AND (a.name, a.currency) > (@afterName, @afterCurrency)
            AND payments.mode_of(a.bucket) = @mode
        GROUP BY a.name, a.currency
        ORDER BY a.name, a.currency
        LIMIT @limit
        """;

    // The range of versions that each stripe recorded between the given times.
    public const string Stripes = $"""
        SELECT a.id, a.bucket,
               CASE WHEN @from::timestamptz IS NULL THEN 0 ELSE ledger.version_at(a.id, @from) END AS after,
               CASE WHEN @to::timestamptz IS NULL THEN b.version ELSE ledger.version_at(a.id, @to) END AS up_to
        FROM ledger.accounts a
        JOIN ledger.balances b ON b.account_id = a.id
        WHERE a.name = @name AND a.currency = @currency AND a.bucket >= @bucket AND {OfMode}
        ORDER BY a.bucket
        """;

    // Reads one page of the debit index and one of the credit index, and merges them. The cost of a page does not grow with the account's
    // history.
    public const string Statement = """
        SELECT s.bucket, s.version, s.journal_id, s.line, h.external_key, h.kind, s.code, o.name AS other,
               s.change * a.sign AS change, s.balance, h.effective_at, s.recorded_at
        FROM (
            (SELECT bucket, debit_version AS version, journal_id, line, code, credit_account AS other_id, -amount AS change, debit_balance AS balance, recorded_at
             FROM ledger.transfers
             WHERE bucket = @bucket AND debit_account = @account AND debit_version > @after AND debit_version < @before
             ORDER BY debit_version DESC
             LIMIT @limit)
            UNION ALL
            (SELECT bucket, credit_version, journal_id, line, code, debit_account, amount, credit_balance, recorded_at
             FROM ledger.transfers
             WHERE bucket = @bucket AND credit_account = @account AND credit_version > @after AND credit_version < @before
             ORDER BY credit_version DESC
             LIMIT @limit)
            ORDER BY version DESC
            LIMIT @limit
        ) s
        JOIN ledger.transfers h ON h.journal_id = s.journal_id AND h.line = 1 AND h.bucket = s.bucket
        JOIN ledger.accounts o ON o.id = s.other_id
        JOIN ledger.accounts a ON a.id = @account
        ORDER BY s.version DESC
        """;

    public const string TrialBalance = """
        SELECT x.account, x.currency, count(*) AS accounts,
               greatest(-sum(x.owed), 0)::bigint AS debit, greatest(sum(x.owed), 0)::bigint AS credit
        FROM (
            SELECT CASE WHEN a.merchant_id IS NULL THEN a.name ELSE regexp_replace(a.name, '^merchant/[^/]+/', 'merchant/*/') END AS account,
                   a.currency, b.balance * a.sign AS owed
            FROM ledger.accounts a
            JOIN ledger.balances b ON b.account_id = a.id
            WHERE payments.mode_of(a.bucket) = @mode
        ) x
        GROUP BY x.account, x.currency
        ORDER BY x.currency, x.account
        """;

    public const string JournalByKey = """
        SELECT journal_id, bucket, merchant_id, kind, external_key, effective_at, recorded_at FROM ledger.transfers WHERE external_key = @externalKey
        """;

    public const string TransfersOfJournal = """
        SELECT t.line, d.name AS debit, c.name AS credit, d.currency, t.amount, t.code, t.debit_balance, t.credit_balance
        FROM ledger.transfers t
        JOIN ledger.accounts d ON d.id = t.debit_account
        JOIN ledger.accounts c ON c.id = t.credit_account
        WHERE t.journal_id = @journalId AND t.bucket = @bucket
        ORDER BY t.line
        """;
}
