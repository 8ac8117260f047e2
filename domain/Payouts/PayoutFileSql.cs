namespace Payments.Domain.Payouts;

internal static class PayoutFileSql
{
    public const string HasFiles = "SELECT EXISTS (SELECT FROM payments.payout_files WHERE run_id = $1)";

    public const string LockRun = "SELECT FROM payments.payout_runs WHERE id = $1 FOR UPDATE";

    // Payouts that merchants requested since the last run join this run, behind the run's own payout for the merchant. If a request is
    // canceling such a payout, this statement waits for it and then leaves the payout out.
    public const string TakeAlong =
        """
        UPDATE payments.payouts p SET run_id = $1, entry = t.entry
        FROM (
            SELECT merchant_id, id, row_number() OVER (PARTITION BY merchant_id ORDER BY id) AS entry FROM payments.payouts
            WHERE currency = $2 AND rail = 'file' AND status = 'pending' AND run_id IS NULL
        ) t
        WHERE p.merchant_id = t.merchant_id AND p.id = t.id AND p.status = 'pending' AND p.run_id IS NULL
        """;

    // A merchant's payouts stay together, so that files are ranges of merchants.
    public const string Amounts =
        """
        SELECT merchant_id, count(*)::integer, sum(amount)::bigint FROM payments.payouts
        WHERE run_id = $1 AND status <> 'canceled' GROUP BY merchant_id ORDER BY merchant_id
        """;

    public const string Insert =
        """
        INSERT INTO payments.payout_files (id, run_id, sequence, format, first_merchant, last_merchant, payouts, amount, execution_date,
            blob_name, created_at, modifier, created_on)
        SELECT id, $2, sequence, $4, first_merchant, last_merchant, payouts, amount, $9, blob_name, $11, modifier, $13
        FROM unnest($1, $3, $5, $6, $7, $8, $10, $12) AS t (id, sequence, first_merchant, last_merchant, payouts, amount, blob_name,
            modifier)
        """;

    // This row numbers NACHA entries. Its lock lets one transaction at a time give out numbers.
    public const string HoldNumbers = "SELECT FROM payments.payout_traces WHERE rail = 'file' FOR UPDATE";

    // The number of modifiers that are taken on day $1. It is at least the number of NACHA files planned on that day, because older files
    // have no stored modifier.
    public const string OfTheDay =
        """
        SELECT GREATEST(
            (SELECT COALESCE(max(modifier) + 1, 0) FROM payments.payout_files WHERE created_on = $1),
            (SELECT count(*) FROM payments.payout_files WHERE format = 'nacha' AND created_at >= $2 AND created_at < $3))::integer
        """;

    private const string Columns =
        "id, run_id, sequence, format, first_merchant, last_merchant, payouts, amount, execution_date, blob_name, created_at, uploaded_at, modifier";

    public const string OfRun = $"SELECT {Columns} FROM payments.payout_files WHERE run_id = $1 ORDER BY sequence";

    public const string Get = $"SELECT {Columns} FROM payments.payout_files WHERE id = $1";

    public const string Ours = "SELECT id FROM payments.payout_files WHERE id = ANY ($1) ORDER BY id";

    public const string ByName = $"SELECT {Columns} FROM payments.payout_files WHERE blob_name = $1";

    // A canceled payout was canceled before the file was planned. Any later change of a payout leaves its line in the file.
    private const string Entries =
        """
        SELECT p.id, p.amount, p.trace, a.kind, a.holder_name, a.iban, a.bic, a.routing_number, a.account_number, a.account_type,
               a.holder_address
        FROM payments.payouts p
        JOIN payments.bank_accounts a ON a.merchant_id = p.merchant_id AND a.id = p.bank_account_id
        WHERE p.run_id = $1 AND p.merchant_id >= $2 AND p.merchant_id <= $3 AND p.status <> 'canceled'
        """;

    public const string Content = $"{Entries} ORDER BY p.merchant_id, p.entry";

    // Lanes and requests take trace numbers at the same time, so trace numbers do not follow the order of merchants.
    public const string ContentByTrace = $"{Entries} ORDER BY p.trace, p.merchant_id, p.entry";

    // Marks the next payouts of the file as sent, at most $4 of them, in the order of merchants.
    public const string Sent =
        """
        WITH chunk AS MATERIALIZED (
            SELECT merchant_id, entry, id FROM payments.payouts
            WHERE run_id = $1 AND (merchant_id, entry) > ($2, $6::smallint) AND merchant_id <= $3
            ORDER BY merchant_id, entry LIMIT $4
        ), sent AS (
            UPDATE payments.payouts p SET status = 'in_transit', submission_started_at = $5, updated_at = $5
            FROM chunk c
            WHERE p.merchant_id = c.merchant_id AND p.id = c.id AND p.status = 'pending'
        )
        SELECT merchant_id, entry FROM chunk ORDER BY merchant_id DESC, entry DESC LIMIT 1
        """;

    public const string Uploaded = "UPDATE payments.payout_files SET sha256 = $2, bytes = $3, uploaded_at = $4 WHERE id = $1 AND uploaded_at IS NULL";

    public const string Members =
        """
        SELECT merchant_id, id, entry, status FROM payments.payouts
        WHERE run_id = $1 AND (merchant_id, entry) > ($2, $5::smallint) AND merchant_id <= $3 AND status <> 'canceled'
        ORDER BY merchant_id, entry LIMIT $4
        """;

    /// <summary>The payouts of a file that the bank refused before it moved money. The bank's bookings leave them out.</summary>
    public const string Failed =
        """
        SELECT count(*), COALESCE(sum(amount), 0)::bigint FROM payments.payouts
        WHERE run_id = $1 AND merchant_id >= $2 AND merchant_id <= $3 AND status = 'failed'
        """;

    public const string ReportIsKnown = "SELECT report_id, results, applied, unmatched FROM payments.bank_reports WHERE sha256 = $1";

    public const string KeepReport =
        """
        INSERT INTO payments.bank_reports (sha256, name, report_id, results, applied, unmatched, received_at)
        VALUES ($1, $2, $3, $4, $5, 0, $6)
        ON CONFLICT (sha256) DO NOTHING
        """;

    public const string CountUnmatched = "UPDATE payments.bank_reports SET unmatched = $2 WHERE sha256 = $1";
}
