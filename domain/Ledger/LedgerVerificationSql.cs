namespace Payments.Domain.Ledger;

/// <summary>Each check returns the first row that breaks its rule, with the problem. Without a violation it returns no row.</summary>
internal static class LedgerVerificationSql
{
    private const string Sides = """
        SELECT debit_account AS account_id, bucket, debit_version AS version, debit_balance AS balance, -amount AS change, journal_id, line, recorded_at
        FROM ledger.transfers
        UNION ALL
        SELECT credit_account, bucket, credit_version, credit_balance, amount, journal_id, line, recorded_at
        FROM ledger.transfers
        """;

    public static readonly (string Check, string Sql)[] Checks =
    [
        ("protection", """
            SELECT 'table ledger.' || x.name, x.problem
            FROM (
                SELECT p.name, 'its append-only trigger is missing or disabled' AS problem
                FROM (VALUES ('transfers'), ('accounts'), ('balances'), ('seals')) p (name)
                WHERE NOT EXISTS (
                    SELECT FROM pg_trigger t
                    WHERE t.tgrelid = ('ledger.' || p.name)::regclass AND t.tgname = 'append_only' AND t.tgenabled IN ('O', 'A'))
                UNION ALL
                SELECT p.name, 'the app may write it directly'
                FROM (VALUES ('transfers'), ('accounts'), ('balances'), ('seals'), ('seal_mark')) p (name)
                WHERE has_table_privilege('payments_app', 'ledger.' || p.name, 'INSERT, UPDATE, DELETE, TRUNCATE')
            ) x
            LIMIT 1
            """),
        ("replay", $"""
            WITH replay AS (
                SELECT s.*, lag(version, 1, 0::bigint) OVER w AS version_before, lag(balance, 1, 0::bigint) OVER w AS balance_before,
                       lag(recorded_at) OVER w AS recorded_before
                FROM ({Sides}) s
                WINDOW w AS (PARTITION BY account_id ORDER BY version, journal_id, line)
            )
            SELECT format('transfer %s/%s', r.journal_id, r.line),
                   CASE
                       WHEN a.id IS NULL THEN format('its account %s does not exist', r.account_id)
                       WHEN r.version <> r.version_before + 1 THEN format('version %s of %s follows version %s', r.version, a.name, r.version_before)
                       WHEN r.bucket <> a.bucket THEN format('bucket %s is not that of %s', r.bucket, a.name)
                       WHEN r.recorded_at < r.recorded_before THEN format('version %s of %s was recorded before its predecessor', r.version, a.name)
                       ELSE format('the balance of %s after it is %s, not %s', a.name, r.balance, r.balance_before + a.sign * r.change)
                   END
            FROM replay r
            LEFT JOIN ledger.accounts a ON a.id = r.account_id
            WHERE a.id IS NULL OR r.version <> r.version_before + 1 OR r.bucket <> a.bucket OR r.recorded_at < r.recorded_before
                OR r.balance <> r.balance_before + a.sign * r.change
            ORDER BY r.journal_id, r.line
            LIMIT 1
            """),
        ("balances", $"""
            SELECT format('account %s', coalesce(a.name || ' ' || a.currency, b.account_id::text)),
                   CASE
                       WHEN a.id IS NULL THEN 'its balance exists without it'
                       WHEN b.account_id IS NULL THEN 'its balance is missing'
                       WHEN b.version <> coalesce(s.version, 0) OR b.balance <> a.sign * coalesce(s.total, 0)
                           THEN format('its balance is %s at version %s, its transfers make %s at version %s',
                               b.balance, b.version, a.sign * coalesce(s.total, 0), coalesce(s.version, 0))
                       ELSE 'its balance row disagrees about its sign, bucket, currency or limit'
                   END
            FROM ledger.accounts a
            FULL JOIN ledger.balances b ON b.account_id = a.id
            LEFT JOIN (SELECT account_id, max(version) AS version, sum(change) AS total FROM ({Sides}) x GROUP BY account_id) s
                ON s.account_id = coalesce(a.id, b.account_id)
            WHERE a.id IS NULL OR b.account_id IS NULL OR b.version <> coalesce(s.version, 0) OR b.balance <> a.sign * coalesce(s.total, 0)
                OR (b.sign, b.bucket, b.currency) <> (a.sign, a.bucket, a.currency) OR b.min_balance IS DISTINCT FROM a.min_balance
            ORDER BY coalesce(a.id, b.account_id)
            LIMIT 1
            """),
        ("journals", """
            SELECT format('journal %s', journal_id), format('it has %s lines, and a line %s', count(*), max(line))
            FROM ledger.transfers
            GROUP BY journal_id
            HAVING count(*) <> max(line) OR min(bucket) <> max(bucket)
            ORDER BY journal_id
            LIMIT 1
            """),
        ("currencies", """
            SELECT format('transfer %s/%s', t.journal_id, t.line), format('it moves %s to %s', d.currency, c.currency)
            FROM ledger.transfers t
            JOIN ledger.accounts d ON d.id = t.debit_account
            JOIN ledger.accounts c ON c.id = t.credit_account
            WHERE d.currency <> c.currency
            ORDER BY t.journal_id, t.line
            LIMIT 1
            """),
        ("totals", """
            SELECT format('currency %s', a.currency), format('all balances add up to %s, not to zero', sum(b.balance * a.sign))
            FROM ledger.balances b
            JOIN ledger.accounts a ON a.id = b.account_id
            GROUP BY a.currency
            HAVING sum(b.balance * a.sign) <> 0
            ORDER BY a.currency
            LIMIT 1
            """),
    ];

    public const string BrokenSeal = """
        SELECT s.number,
               CASE
                   WHEN s.number <> s.number_before + 1 THEN format('follows seal %s', s.number_before)
                   WHEN s.previous <> s.hash_before THEN 'does not continue the chain'
                   WHEN s.after_journal <> s.journal_before OR s.after_account <> s.account_before THEN 'does not begin where the seal before it ends'
                   ELSE 'does not match what it covers'
               END
        FROM (
            SELECT number, after_journal, to_journal, after_account, to_account, previous, hash,
                   lag(number, 1, 0::bigint) OVER w AS number_before, lag(hash, 1, sha256('')) OVER w AS hash_before,
                   lag(to_journal, 1, 0::bigint) OVER w AS journal_before, lag(to_account, 1, 0) OVER w AS account_before
            FROM ledger.seals
            WINDOW w AS (ORDER BY number)
        ) s
        WHERE s.number <> s.number_before + 1 OR s.previous <> s.hash_before
            OR s.after_journal <> s.journal_before OR s.after_account <> s.account_before
            OR s.hash <> (SELECT h.hash FROM ledger.seal_hash(s.previous, s.after_journal, s.to_journal, s.after_account, s.to_account) h)
        ORDER BY s.number
        LIMIT 1
        """;

    public const string Digests = "SELECT digests FROM ledger.seals WHERE number = @number";

    public const string RowDigests = """
        SELECT t.journal_id, t.line, substr(sha256(ledger.transfer_bytes(t)), 1, 8)
        FROM ledger.seals s
        JOIN ledger.transfers t ON t.journal_id > s.after_journal AND t.journal_id <= s.to_journal
        WHERE s.number = @number
        ORDER BY t.journal_id, t.line
        """;

    public const string Counts = """
        SELECT (SELECT count(*) FROM ledger.transfers), (SELECT count(*) FROM ledger.accounts), (SELECT count(*) FROM ledger.seals)
        """;

    public const string Head = "SELECT number, to_journal, sealed_at, encode(hash, 'hex') AS hash FROM ledger.seals ORDER BY number DESC LIMIT 1";

    public const string HashOf = "SELECT encode(hash, 'hex') FROM ledger.seals WHERE number = @number";
}
