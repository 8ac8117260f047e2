namespace Payments.Domain.Payouts;

internal static class PayoutSql
{
    private const string Columns =
        "merchant_id, id, run_id, status, currency, amount, bank_account_id, rail, method, trace, provider_reference, failure_code, failure_message, arrival_date, submission_started_at, created_at, updated_at, entry, hold_code, hold_message";

    // Only these are income that no payout has touched before.
    private const string NewIncome = "('charge', 'refund', 'refund_failure', 'dispute', 'dispute_fee', 'dispute_reversal', 'dispute_fee_refund')";

    /// <summary>In the order in which <see cref="PayoutRun.Read"/> reads them.</summary>
    private const string RunColumns =
        """
        r.id, r.date, r.currency, r.rail, r.status, r.execution_date, r.considered, r.payouts, r.amount, r.refused,
        r.started_by, r.started_at, r.created_at, r.submitted_at, r.mode
        """;

    public const string StartRun =
        """
        INSERT INTO payments.payout_runs (id, mode, date, currency, rail, status, execution_date, started_by, started_at)
        VALUES ($1, $8, $2, $3, $4, 'creating', $5, $6, $7)
        ON CONFLICT (date, currency, mode) DO NOTHING
        """;

    public const string GetRun =
        $"SELECT {RunColumns} FROM payments.payout_runs r WHERE date = $1 AND currency = $2 AND mode = $3";

    public const string ListRuns =
        $"SELECT {RunColumns} FROM payments.payout_runs r WHERE mode = $2 ORDER BY date DESC, currency LIMIT $1";

    public const string Currencies =
        "SELECT c FROM unnest($1) AS c WHERE EXISTS (SELECT FROM payments.payout_settings WHERE currency = c AND mode = $2)";

    public const string OpenRuns =
        "SELECT date, currency, mode FROM payments.payout_runs WHERE status <> 'submitted' ORDER BY started_at";

    // Divides the merchants into ranges of about equal size. The last range has no end, so it includes merchants that join during the run.
    public const string OpenLanes =
        """
        WITH parts AS (
            SELECT merchant_id, ntile($2) OVER (ORDER BY merchant_id) AS lane
            FROM payments.payout_settings
            WHERE currency = $3 AND mode = $4
        ), ends AS (
            SELECT DISTINCT ON (lane) lane, merchant_id AS last_merchant FROM parts ORDER BY lane, merchant_id DESC
        ), lanes AS (
            SELECT lane, COALESCE(lag(last_merchant) OVER (ORDER BY lane), '00000000-0000-0000-0000-000000000000') AS cursor,
                CASE WHEN lead(lane) OVER (ORDER BY lane) IS NULL THEN 'ffffffff-ffff-ffff-ffff-ffffffffffff' ELSE last_merchant END AS last_merchant
            FROM ends
        )
        INSERT INTO payments.payout_run_lanes (run_id, lane, cursor, last_merchant)
        SELECT $1, lane, cursor, last_merchant FROM lanes
        UNION ALL
        SELECT $1, 1, '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff' WHERE NOT EXISTS (SELECT FROM ends)
        """;

    public const string OpenLanesOf = "SELECT lane FROM payments.payout_run_lanes WHERE run_id = $1 AND NOT done ORDER BY lane";

    // The instance that locks the row works on the lane. Another instance finds no row and leaves.
    public const string LockLane =
        $"""
        SELECT {RunColumns}, l.cursor, l.last_merchant
        FROM payments.payout_run_lanes l
        JOIN payments.payout_runs r ON r.id = l.run_id
        WHERE l.run_id = $1 AND l.lane = $2 AND NOT l.done
        FOR UPDATE OF l SKIP LOCKED
        """;

    public const string AdvanceLane = "UPDATE payments.payout_run_lanes SET cursor = $3, done = $4 WHERE run_id = $1 AND lane = $2";

    // The lock lasts until the commit, so lanes that finish at the same time commit one after the other. The last one sees that all others
    // are done.
    public const string HoldRun = "SELECT FROM payments.payout_runs WHERE id = $1 FOR UPDATE";

    public const string AdvanceRun =
        """
        UPDATE payments.payout_runs r
        SET considered = considered + $2, payouts = payouts + $3, amount = amount + $4, refused = refused + $5,
            status = CASE WHEN l.done THEN 'created' ELSE status END, created_at = CASE WHEN l.done THEN $6 ELSE created_at END
        FROM (SELECT bool_and(done) AS done FROM payments.payout_run_lanes WHERE run_id = $1) AS l
        WHERE r.id = $1
        RETURNING r.status
        """;

    public const string EndRun = "UPDATE payments.payout_runs SET status = 'submitted', submitted_at = $2 WHERE id = $1 AND status = 'created'";

    // The defaults for a merchant without settings. PayoutSettingsSql.Ensure inserts the same values.
    private const string TermColumns =
        """
        COALESCE(s.minimum, 1), s.maximum, COALESCE(s.reserve_basis_points, 0), COALESCE(s.reserve_days, 0), COALESCE(s.reserve_fixed, 0),
               COALESCE(s.interval, 'daily'), s.next_on, s.hold_reason IS NOT NULL, m.status = 'active', s.bank_account_id,
               a.verified_at IS NOT NULL, a.status, a.usable_from,
               s.weekday, s.month_day, COALESCE(s.batch_id, '00000000-0000-0000-0000-000000000000'),
               left(a.iban, 2), a.payee_result, a.payee_accepted_at IS NOT NULL, a.instant_reachable
        """;

    private const string Terms =
        $"""
        {TermColumns}
        FROM payments.payout_settings s
        JOIN payments.merchants m ON m.id = s.merchant_id
        LEFT JOIN payments.bank_accounts a ON a.merchant_id = s.merchant_id AND a.id = s.bank_account_id
        """;

    // The next merchants, with everything that the decision needs except the money. Lock order: settings by merchant, as in
    // ReleaseSql.Release. Until the commit, no release adds to the batches of these merchants, and no other payout takes them.
    public const string LockNext =
        $"""
        SELECT s.merchant_id, 0::bigint, 0::bigint, {Terms}
        WHERE s.currency = $1 AND s.mode = $5 AND s.merchant_id > $2 AND s.merchant_id <= $4
        ORDER BY s.merchant_id
        LIMIT $3
        FOR NO KEY UPDATE OF s
        """;

    public const string LockOne =
        $"""
        SELECT s.merchant_id, 0::bigint, 0::bigint, {Terms}
        WHERE s.merchant_id = $1 AND s.currency = $2
        FOR NO KEY UPDATE OF s
        """;

    // What a run would find, read without locks: the terms of LockNext, and the sums of Collect once everything due on $3 is released.
    private const string Found =
        $"""
        , lines AS (
            SELECT b.merchant_id, b.net, b.type FROM page
            JOIN payments.balance_transactions b ON b.merchant_id = page.merchant_id AND b.batch_id = page.batch_id
            UNION ALL
            SELECT b.merchant_id, b.net, b.type FROM page JOIN payments.balance_transactions b ON b.merchant_id = page.merchant_id
            WHERE b.currency = $1 AND b.batch_id IS NULL AND b.released_at IS NOT NULL
            UNION ALL
            SELECT b.merchant_id, b.net, b.type FROM page JOIN payments.balance_transactions b ON b.merchant_id = page.merchant_id
            WHERE b.currency = $1 AND b.released_at IS NULL AND b.available_on <= $3
        ), found AS (
            SELECT merchant_id, sum(net)::bigint AS available, COALESCE(sum(net) FILTER (WHERE type IN {NewIncome}), 0)::bigint AS income
            FROM lines GROUP BY merchant_id
        )
        SELECT m.id, COALESCE(found.available, 0), COALESCE(found.income, 0), {TermColumns}, s.hold_reason
        FROM page
        JOIN payments.merchants m ON m.id = page.merchant_id
        LEFT JOIN payments.payout_settings s ON s.merchant_id = m.id AND s.currency = $1
        LEFT JOIN payments.bank_accounts a ON a.merchant_id = s.merchant_id AND a.id = s.bank_account_id
        LEFT JOIN found ON found.merchant_id = m.id
        """;

    // One merchant, with or without settings.
    public const string Forecast =
        $"""
        WITH page AS (
            SELECT m.id AS merchant_id, s.batch_id FROM payments.merchants m
            LEFT JOIN payments.payout_settings s ON s.merchant_id = m.id AND s.currency = $1
            WHERE m.id = $2
        ){Found}
        """;

    // The merchants that a run walks, starting after $2. If the run has begun ($5), only the merchants that it has not reached yet.
    public const string ForecastNext =
        $"""
        WITH page AS (
            SELECT s.merchant_id, s.batch_id FROM payments.payout_settings s
            WHERE s.currency = $1 AND s.mode = $6 AND s.merchant_id > $2 AND ($5::uuid IS NULL OR EXISTS (
                SELECT FROM payments.payout_run_lanes l
                WHERE l.run_id = $5 AND NOT l.done AND l.cursor < s.merchant_id AND l.last_merchant >= s.merchant_id))
            ORDER BY s.merchant_id
            LIMIT $4
        ){Found}
        ORDER BY m.id
        """;

    // Runs that are creating payouts, which are finished first, and the run of date $2. The third column tells whether the run is creating
    // payouts and, if a merchant is given ($3), has not reached that merchant yet.
    public const string BegunRuns =
        """
        SELECT r.id, r.date, r.status = 'creating' AND ($3::uuid IS NULL OR EXISTS (
            SELECT FROM payments.payout_run_lanes l WHERE l.run_id = r.id AND NOT l.done AND l.cursor < $3 AND l.last_merchant >= $3))
        FROM payments.payout_runs r
        WHERE r.currency = $1 AND r.mode = $4 AND (r.status = 'creating' OR r.date = $2)
        ORDER BY r.started_at
        """;

    // The money that becomes available after date $3, by date.
    public const string AvailableLater =
        """
        SELECT available_on, sum(net)::bigint, COALESCE(sum(net) FILTER (WHERE type <> 'reserve_release'), 0)::bigint
        FROM payments.balance_transactions
        WHERE merchant_id = $1 AND currency = $2 AND released_at IS NULL AND available_on > $3
        GROUP BY available_on ORDER BY available_on
        """;

    // Completes the batches of merchants whose settings are locked, and sums each batch. A batch holds the rows that were released into it.
    // Rows that were available from the start and are in no batch yet join it here. This is a statement of its own, so that it sees
    // everything that was committed before this transaction got the locks.
    public const string Collect =
        $"""
        WITH open AS (
            SELECT * FROM unnest($1, $2) AS t (merchant_id, batch_id)
        ), collected AS (
            UPDATE payments.balance_transactions b
            SET batch_id = open.batch_id
            FROM open
            WHERE b.merchant_id = open.merchant_id AND b.merchant_id >= $4 AND b.merchant_id <= $5
              AND b.currency = $3 AND b.batch_id IS NULL AND b.released_at IS NOT NULL
            RETURNING b.merchant_id, b.net, b.type
        ), lines AS (
            SELECT merchant_id, net, type FROM collected
            UNION ALL
            SELECT b.merchant_id, b.net, b.type FROM open JOIN payments.balance_transactions b ON b.merchant_id = open.merchant_id AND b.batch_id = open.batch_id
        )
        SELECT merchant_id, sum(net)::bigint, COALESCE(sum(net) FILTER (WHERE type IN {NewIncome}), 0)::bigint FROM lines GROUP BY merchant_id
        """;

    public const string Create = "SELECT payments.create_payouts($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";

    public const string TakeTraces =
        "UPDATE payments.payout_traces SET last = (last + $1) % 9999999 WHERE rail = 'file' RETURNING (last - $1 + 9999999) % 9999999";

    public const string Reschedule =
        """
        UPDATE payments.payout_settings s SET next_on = t.next_on
        FROM unnest($2, $3) AS t (merchant_id, next_on)
        WHERE s.merchant_id = t.merchant_id AND s.currency = $1
        """;

    public const string Get = $"SELECT {Columns} FROM payments.payouts WHERE merchant_id = $1 AND id = $2";

    public const string List =
        $"""
        SELECT {Columns} FROM payments.payouts
        WHERE merchant_id = $1 AND ($2::uuid IS NULL OR id < $2) AND ($3::text IS NULL OR status = $3)
        ORDER BY id DESC LIMIT $4
        """;

    // Lock order: payouts by (merchant, id). Two callers with the same payouts then cannot deadlock.
    public const string Lock =
        $"""
        SELECT {Columns} FROM payments.payouts
        WHERE (merchant_id, id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
        ORDER BY merchant_id, id FOR UPDATE
        """;

    public const string FindByIds =
        "SELECT merchant_id, id, currency, amount FROM payments.payouts WHERE (id, bucket) IN (SELECT * FROM unnest($1, $2))";

    public const string FindByTraces = "SELECT merchant_id, id, trace FROM payments.payouts WHERE trace = ANY($1) ORDER BY id";

    public const string Apply =
        """
        UPDATE payments.payouts p
        SET status = t.status, provider_reference = COALESCE(t.provider_reference, p.provider_reference), failure_code = t.failure_code, failure_message = t.failure_message, updated_at = $8,
            hold_code = t.hold_code, hold_message = t.hold_message
        FROM unnest($1, $2, $3, $4, $5, $6, $7, $9, $10) AS t (merchant_id, id, before, status, provider_reference, failure_code, failure_message, hold_code, hold_message)
        WHERE p.merchant_id = t.merchant_id AND p.id = t.id AND p.status = t.before
        """;

    public const string MarkAccounts =
        """
        UPDATE payments.bank_accounts a SET status = 'errored', failure_code = t.code, updated_at = $4
        FROM unnest($1, $2, $3) AS t (merchant_id, id, code)
        WHERE a.merchant_id = t.merchant_id AND a.id = t.id AND a.status = 'active'
        """;

    public const string BeginSubmission =
        """
        UPDATE payments.payouts
        SET submission_started_at = COALESCE(submission_started_at, $3), updated_at = $3,
            valid_until = CASE WHEN method = 'instant' AND submission_started_at IS NULL THEN $4 ELSE valid_until END
        WHERE merchant_id = $1 AND id = $2 AND status = 'pending' AND rail = 'sandbox'
        RETURNING currency, amount, bank_account_id, method, valid_until, old.submission_started_at IS NULL
        """;

    public const string Stale =
        "SELECT merchant_id, id FROM payments.payouts WHERE status = 'pending' AND rail = 'sandbox' AND created_at < $1 ORDER BY created_at LIMIT $2";

    public const string Composition =
        """
        SELECT id, type, source_id, currency, amount, fee, net, available_on, created_at FROM payments.balance_lines
        WHERE merchant_id = $1 AND batch_id = (SELECT batch_id FROM payments.payouts WHERE merchant_id = $1 AND id = $2) AND (NOT is_payout OR id = $2) AND ($3::uuid IS NULL OR id > $3)
        ORDER BY id LIMIT $4
        """;

    public const string LockToCancel =
        $"""
        SELECT {Columns} FROM payments.payouts
        WHERE merchant_id = $1 AND id = $2 FOR UPDATE
        """;

    // A planned file may already be at the bank, so a payout can be canceled only while its run is creating payouts. The lock keeps the run
    // in that status until the commit.
    public const string RunIsOpen = "SELECT status IN ('creating') FROM payments.payout_runs WHERE id = $1 FOR SHARE";
}
