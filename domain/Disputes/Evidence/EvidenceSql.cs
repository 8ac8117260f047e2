namespace Payments.Domain.Disputes.Evidence;

internal static class EvidenceSql
{
    public const string Draft =
        """
        SELECT e.text, e.fields::text
        FROM payments.dispute_evidence e
        WHERE e.merchant_id = $1 AND e.dispute_id = $2
        """;

    /// <summary>
    /// A given field replaces the saved one of its name, null removes it, and the others stay. No row is written if there would be too many
    /// fields.
    /// </summary>
    public const string SaveDraft =
        """
        INSERT INTO payments.dispute_evidence (bucket, merchant_id, dispute_id, text, fields, updated_at)
        VALUES (payments.bucket_of($1), $1, $2, $3, jsonb_strip_nulls($4::jsonb), $5)
        ON CONFLICT (merchant_id, dispute_id, bucket) DO UPDATE
        SET text = coalesce(EXCLUDED.text, payments.dispute_evidence.text), fields = jsonb_strip_nulls(payments.dispute_evidence.fields || $4::jsonb), updated_at = EXCLUDED.updated_at
        WHERE (SELECT count(*) FROM jsonb_object_keys(jsonb_strip_nulls(payments.dispute_evidence.fields || $4::jsonb))) <= $6
        """;

    public const string Files =
        """
        SELECT encode(hash, 'hex'), purpose, name, content_type, size
        FROM payments.dispute_evidence_files
        WHERE merchant_id = $1 AND dispute_id = $2
        ORDER BY created_at, hash
        """;

    public const string AddFile =
        """
        INSERT INTO payments.dispute_evidence_files (bucket, merchant_id, dispute_id, hash, purpose, name, content_type, size, created_at)
        VALUES (payments.bucket_of($1), $1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT DO NOTHING
        """;

    public const string RemoveFile = "DELETE FROM payments.dispute_evidence_files WHERE merchant_id = $1 AND dispute_id = $2 AND encode(hash, 'hex') = $3";

    public const string LockDispute =
        $"""
        SELECT {DisputeSql.Columns}
        FROM payments.disputes d
        WHERE d.merchant_id = $1 AND d.id = $2
        FOR UPDATE OF d
        """;

    public const string StartResponse =
        """
        INSERT INTO payments.dispute_responses (bucket, merchant_id, id, dispute_id, stage, kind, status, evidence, idempotency_key,
            checks, next_check_at, created_at)
        VALUES (payments.bucket_of($1), $1, $2, $3, $4, $5, 'started', $6::jsonb, $7, 0, $8, $9)
        ON CONFLICT (merchant_id, dispute_id, bucket) WHERE status IN ('started', 'unknown') DO NOTHING
        """;

    public const string EndResponse =
        """
        UPDATE payments.dispute_responses
        SET status = $3, detail = $4, next_check_at = $5, finished_at = $6, checks = checks + 1
        WHERE merchant_id = $1 AND id = $2 AND status IN ('started', 'unknown')
        """;

    /// <summary>A refused answer did nothing, so its key may be used again.</summary>
    public const string ForgetKey = "DELETE FROM payments.idempotency_keys WHERE merchant_id = $1 AND key = $2 AND completed_at IS NULL";

    /// <summary>
    /// Takes answers that are due for a check of their outcome, and postpones the next check with growing pauses, up to an hour.
    /// </summary>
    public const string TakeOpen =
        """
        WITH due AS (
            SELECT merchant_id, id, dispute_id
            FROM payments.dispute_responses
            WHERE next_check_at <= $1
            ORDER BY next_check_at
            LIMIT $2
            FOR UPDATE SKIP LOCKED
        )
        UPDATE payments.dispute_responses r
        SET next_check_at = $1 + least(interval '1 hour', interval '30 seconds' * (1 << least(r.checks, 7)))
        FROM due
        JOIN payments.disputes d ON d.merchant_id = due.merchant_id AND d.id = due.dispute_id
        WHERE r.merchant_id = due.merchant_id AND r.id = due.id
        RETURNING r.merchant_id, r.id, r.dispute_id, r.kind, r.evidence::text, r.idempotency_key, d.provider, d.provider_dispute_id, r.checks
        """;

    /// <summary>The facts about the charge that matter to a bank.</summary>
    public const string ChargeFacts =
        """
        SELECT c.currency, c.captured_amount, c.refunded_amount, c.customer, c.description, c.statement_descriptor, c.card::text, c.metadata::text, c.created_at,
               (SELECT string_agg(r.amount || ' on ' || to_char(r.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), '; ' ORDER BY r.id)
                FROM payments.refunds r
                WHERE r.merchant_id = c.merchant_id AND r.charge_id = c.id AND r.status = 'succeeded')
        FROM payments.charges c
        WHERE c.merchant_id = $1 AND c.id = $2
        """;
}
