namespace Payments.Domain.Privacy;

internal static class RedactSql
{
    /// <summary>Locks the charge, or the customer's charges, by id. Returns for each whether nothing of it is in progress.</summary>
    public const string Candidates =
        """
        SELECT c.id,
            c.status IN ('captured', 'canceled', 'declined', 'expired')
            AND NOT EXISTS (SELECT FROM payments.attempts a
                WHERE a.merchant_id = c.merchant_id AND a.charge_id = c.id AND a.status IN ('started', 'unknown', 'requires_action', 'pending'))
            AND NOT EXISTS (SELECT FROM payments.disputes d
                WHERE d.merchant_id = c.merchant_id AND d.charge_id = c.id AND d.status NOT IN ('warning_closed', 'prevented', 'expired', 'accepted', 'won', 'lost'))
        FROM payments.charges c
        WHERE c.merchant_id = $1 AND (c.id = $2 OR ($2 IS NULL AND c.customer = $3))
        ORDER BY c.id
        LIMIT $4
        FOR UPDATE OF c
        """;

    public const string Charges =
        """
        UPDATE payments.charges
        SET customer = NULL, description = NULL, redirect_url = NULL, metadata = '{}', card = card - 'last4', payment_token = 'redacted', updated_at = $3
        WHERE merchant_id = $1 AND id = ANY($2)
        """;

    public const string Refunds = "UPDATE payments.refunds SET metadata = '{}', updated_at = $3 WHERE merchant_id = $1 AND charge_id = ANY($2)";

    /// <summary>Events keep what happened, when, and the amount. Personal data in them is removed.</summary>
    public const string Events =
        """
        UPDATE payments.events
        SET data = (data - 'customer' - 'description') || '{"metadata": {}}' || CASE WHEN data ? 'card' THEN jsonb_build_object('card', (data -> 'card') - 'last4') ELSE '{}' END
        WHERE merchant_id = $1 AND object_type IN ('charge', 'refund')
            AND object_id = ANY ($2 || ARRAY(SELECT r.id FROM payments.refunds r WHERE r.merchant_id = $1 AND r.charge_id = ANY ($2)))
        """;

    public const string Evidence =
        """
        UPDATE payments.dispute_evidence e SET text = NULL, fields = '{}', updated_at = $3
        FROM payments.disputes d
        WHERE d.merchant_id = $1 AND d.charge_id = ANY($2) AND e.merchant_id = d.merchant_id AND e.dispute_id = d.id
        """;

    public const string EvidenceFiles =
        """
        DELETE FROM payments.dispute_evidence_files f USING payments.disputes d
        WHERE d.merchant_id = $1 AND d.charge_id = ANY($2) AND f.merchant_id = d.merchant_id AND f.dispute_id = d.id
        RETURNING f.dispute_id, f.hash
        """;
}
