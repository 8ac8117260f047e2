namespace Payments.Domain.Observability;

/// <summary>
/// Each statement reads a few rows through an index over open rows. So measuring every minute costs the same however much history there is.
/// </summary>
internal static class StateSql
{
    /// <summary>$1: now. A started attempt counts only once its check is due. Before that, the call may still be running.</summary>
    public const string Attempts =
        """
        SELECT provider, operation, count(*), min(created_at)
        FROM payments.all_attempts
        WHERE next_check_at IS NOT NULL
            AND payments.mode_of(payments.bucket_of(merchant_id)) = 'live'
            AND (status = 'unknown' OR (status = 'started' AND next_check_at <= $1))
        GROUP BY provider, operation
        """;

    /// <summary>$1: now. Only disputes whose response is due within a week, or overdue.</summary>
    public const string Disputes =
        """
        SELECT CASE WHEN evidence_due_by <= $1 THEN 'overdue' WHEN evidence_due_by <= $1 + interval '24 hours' THEN 'day' ELSE 'week' END, count(*), min(evidence_due_by)
        FROM payments.disputes
        WHERE status IN ('needs_response', 'warning_needs_response')
            AND payments.mode_of(bucket) = 'live' AND evidence_due_by <= $1 + interval '7 days'
        GROUP BY 1
        """;

    public const string UnmatchedDisputes = "SELECT provider, count(*), min(received_at) FROM payments.unmatched_dispute_updates GROUP BY provider";

    public const string ProviderEvents =
        """
        SELECT provider, status, count(*), min(received_at)
        FROM payments.provider_events
        WHERE status IN ('received', 'waiting', 'failed')
        GROUP BY provider, status
        """;

    public const string DeadLetters = "SELECT queue, count(*), min(dead_at) FROM payments.dead_letters WHERE replayed_at IS NULL GROUP BY queue";

    /// <summary>$1: now. The newest live run of each currency in the last week.</summary>
    public const string PayoutRuns =
        """
        SELECT currency, amount, payouts, refused FROM (
            SELECT DISTINCT ON (currency) currency, amount, payouts, refused
            FROM payments.payout_runs
            WHERE mode = 'live' AND date > $1::date - 7
            ORDER BY currency, date DESC) AS newest
        """;

    public const string OpenPayoutRun = "SELECT min(started_at) FROM payments.payout_runs WHERE status <> 'submitted' AND mode = 'live'";

    public const string UnmatchedBankItems = "SELECT reason, count(*) FROM payments.unmatched_bank_items WHERE acknowledged_at IS NULL GROUP BY reason";

    /// <summary>What providers owe and have not settled, and money without an explanation: each account over its live stripes.</summary>
    public const string Unreconciled =
        """
        SELECT a.name, a.currency, sum(b.balance)::bigint
        FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
        WHERE payments.mode_of(a.bucket) = 'live' AND (a.name = 'platform/suspense' OR (a.name > 'processor/' AND a.name < 'processor0'))
        GROUP BY a.name, a.currency
        """;

    /// <summary>The first posting that no seal covers yet.</summary>
    public const string Unsealed =
        """
        SELECT recorded_at FROM ledger.transfers
        WHERE journal_id > coalesce((SELECT to_journal FROM ledger.seals ORDER BY number DESC LIMIT 1), 0)
        ORDER BY journal_id
        LIMIT 1
        """;
}
