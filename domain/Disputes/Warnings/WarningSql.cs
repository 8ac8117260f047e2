namespace Payments.Domain.Disputes.Warnings;

internal static class WarningSql
{
    public const string ListSettings =
        "SELECT currency, refund_warnings_up_to, changed_at FROM payments.dispute_settings WHERE merchant_id = $1 ORDER BY currency";

    /// <summary>
    /// Returns no row if the merchant does not exist. An unchanged rule keeps its time, because it holds for warnings from that time on.
    /// </summary>
    public const string ChangeSettings =
        """
        INSERT INTO payments.dispute_settings AS s (bucket, merchant_id, currency, refund_warnings_up_to, changed_at)
        SELECT payments.bucket_of(m.id), m.id, $2, $3, $4 FROM payments.merchants m WHERE m.id = $1
        ON CONFLICT (merchant_id, currency, bucket) DO UPDATE
        SET refund_warnings_up_to = EXCLUDED.refund_warnings_up_to,
            changed_at = CASE WHEN s.refund_warnings_up_to IS DISTINCT FROM EXCLUDED.refund_warnings_up_to THEN EXCLUDED.changed_at ELSE s.changed_at END
        RETURNING currency, refund_warnings_up_to, changed_at
        """;

    /// <summary>
    /// Warnings that a rule covers and no run has taken. A warning in another currency than its charge is covered only if the provider
    /// reports its amount in the charge's currency.
    /// </summary>
    public const string Covered =
        """
        SELECT d.merchant_id, d.id
        FROM payments.disputes d
        JOIN payments.dispute_settings s ON s.merchant_id = d.merchant_id AND s.currency = d.charge_currency
        WHERE d.stage = 'early_warning' AND d.status = 'warning_needs_response' AND d.created_at >= s.changed_at
          AND CASE WHEN d.currency = d.charge_currency THEN d.amount WHEN d.merchant_currency = d.charge_currency THEN d.merchant_amount END <= s.refund_warnings_up_to
          AND NOT EXISTS (SELECT FROM payments.dispute_refunds r WHERE r.merchant_id = d.merchant_id AND r.dispute_id = d.id)
        ORDER BY d.created_at
        LIMIT $1
        """;

    /// <summary>If two runs take the same warning, the second inserts nothing.</summary>
    public const string Take =
        """
        INSERT INTO payments.dispute_refunds (bucket, merchant_id, dispute_id, refund_id, status, attempts, next_check_at, created_at)
        SELECT payments.bucket_of(merchant_id), merchant_id, dispute_id, refund_id, 'started', 1, $4, $4
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS t (merchant_id, dispute_id, refund_id)
        ON CONFLICT DO NOTHING
        """;

    /// <summary>
    /// Takes the refunds in progress that are due for a check, and postpones them at once so that no other instance checks them too.
    /// </summary>
    public const string Due =
        """
        WITH due AS (
            SELECT merchant_id, dispute_id
            FROM payments.dispute_refunds
            WHERE next_check_at <= $1
            ORDER BY next_check_at
            LIMIT $2
            FOR UPDATE SKIP LOCKED
        )
        UPDATE payments.dispute_refunds r
        SET next_check_at = $1 + interval '1 minute'
        FROM due
        WHERE r.merchant_id = due.merchant_id AND r.dispute_id = due.dispute_id
        RETURNING r.merchant_id, r.dispute_id, r.refund_id, r.attempts
        """;

    /// <summary>The warning in its current state, and its refund if it was created.</summary>
    public const string Look =
        $"""
        SELECT {DisputeSql.Columns}, f.status, f.failure_code, f.updated_at
        FROM payments.disputes d
        LEFT JOIN payments.refunds f ON f.merchant_id = d.merchant_id AND f.id = $3
        WHERE d.merchant_id = $1 AND d.id = $2
        """;

    public const string End =
        """
        UPDATE payments.dispute_refunds
        SET status = $4, detail = $5, next_check_at = NULL, finished_at = $6
        WHERE merchant_id = $1 AND dispute_id = $2 AND refund_id = $3 AND status = 'started'
        """;

    /// <summary>Another try under the given refund id. A failed refund has ended, so its next try has a new id.</summary>
    public const string Again =
        """
        UPDATE payments.dispute_refunds
        SET refund_id = $4, attempts = attempts + 1, detail = $5, next_check_at = $6
        WHERE merchant_id = $1 AND dispute_id = $2 AND refund_id = $3 AND status = 'started'
        """;
}
