namespace Payments.Domain.Idempotency;

internal static class IdempotencySql
{
    /// <summary>If another transaction is taking the same key, this one waits. It takes the key only if the other one rolls back.</summary>
    public const string Take =
        """
        INSERT INTO payments.idempotency_keys (bucket, merchant_id, key, fingerprint, object_id, created_at)
        VALUES (payments.bucket_of($1), $1, $2, $3, $4, $5)
        ON CONFLICT DO NOTHING
        """;

    public const string Complete =
        """
        UPDATE payments.idempotency_keys
        SET response_status = $3, response_body = $4, is_sealed = $5, completed_at = $6
        WHERE merchant_id = $1 AND key = $2 AND completed_at IS NULL
        """;

    /// <summary>A stored answer is final: a second one changes nothing.</summary>
    public const string CompleteMany =
        """
        UPDATE payments.idempotency_keys k
        SET response_status = t.status, response_body = t.body, completed_at = $5
        FROM (SELECT unnest($1::uuid[]) AS merchant_id, unnest($2::text[]) AS key, unnest($3::smallint[]) AS status, unnest($4::bytea[]) AS body) AS t
        WHERE k.merchant_id = t.merchant_id AND k.key = t.key AND k.completed_at IS NULL
        """;

    public const string Get =
        """
        SELECT fingerprint, response_status, response_body, is_sealed
        FROM payments.idempotency_keys
        WHERE merchant_id = $1 AND key = $2
        """;

    public const string Purge =
        """
        DELETE FROM payments.idempotency_keys
        WHERE ctid IN (SELECT ctid FROM payments.idempotency_keys WHERE created_at < $1 AND completed_at IS NOT NULL LIMIT $2)
        """;
}
