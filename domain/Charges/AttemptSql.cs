namespace Payments.Domain.Charges;

/// <summary>Statements for attempts that stay open or are contradicted.</summary>
internal static class AttemptSql
{
    private const string Joined =
        $"""
        SELECT {ChargeSql.Columns}, {ChargeSql.AttemptColumns}
        FROM payments.all_attempts a
        JOIN payments.charges c ON c.merchant_id = a.merchant_id AND c.id = a.charge_id
        """;

    /// <summary>
    /// The charge of an attempt comes from the attempt's row, or from its id if it has no row. With the charge's id, both rows are found by
    /// key.
    /// </summary>
    public const string Get =
        $"""
        {Joined}
        WHERE a.merchant_id = $1 AND a.id = $2
            AND a.charge_id = COALESCE((SELECT charge_id FROM payments.attempts WHERE merchant_id = $1 AND id = $2), payments.first_attempt($2))
        """;

    /// <summary>Oldest first. $1 cursor, $2 provider, $3 only overdue attempts, $4 limit.</summary>
    public const string ListOpen =
        $"""
        {Joined}
        WHERE a.next_check_at IS NOT NULL AND ($1::uuid IS NULL OR a.id > $1) AND ($2::text IS NULL OR a.provider = $2) AND (NOT $3 OR a.overdue_at IS NOT NULL)
        ORDER BY a.id
        LIMIT $4
        """;

    public const string ListContradicted =
        $"""
        {Joined}
        WHERE ($1::uuid IS NULL OR a.id > $1) AND ($2::text IS NULL OR a.provider = $2)
            AND EXISTS (SELECT FROM payments.attempt_contradictions k WHERE k.merchant_id = a.merchant_id AND k.attempt_id = a.id AND k.acknowledged_at IS NULL)
        ORDER BY a.id
        LIMIT $3
        """;

    public const string Contradictions =
        """
        SELECT result, provider_reference, detail, times, first_at, last_at, acknowledged_at
        FROM payments.attempt_contradictions WHERE merchant_id = $1 AND attempt_id = $2 ORDER BY first_at
        """;

    /// <summary>
    /// Records a contradiction. A repeated one raises its count and its last time. An acknowledged one stays acknowledged.
    /// </summary>
    public const string Contradict =
        """
        INSERT INTO payments.attempt_contradictions AS k (bucket, merchant_id, attempt_id, result, provider_reference, detail, times,
            first_at, last_at)
        SELECT payments.bucket_of(merchant_id), merchant_id, attempt_id, result, provider_reference, detail, 1, $6, $6
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[]) AS t (merchant_id, attempt_id, result, provider_reference, detail)
        ORDER BY merchant_id, attempt_id, result
        ON CONFLICT (merchant_id, attempt_id, result, bucket) DO UPDATE SET times = k.times + 1, last_at = EXCLUDED.last_at
        """;

    /// <summary>Takes and completes keys in one statement, in the transaction of their effect.</summary>
    public const string KeepAnswers =
        """
        INSERT INTO payments.idempotency_keys (bucket, merchant_id, key, fingerprint, object_id, response_status, response_body,
            created_at, completed_at)
        SELECT payments.bucket_of(merchant_id), merchant_id, key, fingerprint, object_id, status, body, $7, $7
        FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::uuid[], $5::smallint[], $6::bytea[]) AS t (merchant_id, key, fingerprint, object_id, status, body)
        """;

    public const string Acknowledge =
        """
        UPDATE payments.attempt_contradictions SET acknowledged_at = $3
        WHERE merchant_id = $1 AND attempt_id = $2 AND acknowledged_at IS NULL
        """;

    /// <summary>
    /// Marks attempts that have been open for too long: without an answer and created before $2, or pending and created before $3. Each
    /// attempt is marked once, so the platform raises one alert for it.
    /// </summary>
    public const string MarkOverdue =
        $"""
        WITH late AS (
            SELECT merchant_id, id FROM payments.attempts
            WHERE next_check_at IS NOT NULL AND overdue_at IS NULL
                AND (status IN ('started', 'unknown') AND created_at < $2 OR status = 'pending' AND created_at < $3)
            ORDER BY created_at
            LIMIT $4
            FOR UPDATE SKIP LOCKED
        ),
        marked AS (
            UPDATE payments.attempts a SET overdue_at = $1 FROM late WHERE a.merchant_id = late.merchant_id AND a.id = late.id RETURNING a.*
        )
        SELECT {ChargeSql.Columns}, {ChargeSql.AttemptColumns}
        FROM marked a
        JOIN payments.charges c ON c.merchant_id = a.merchant_id AND c.id = a.charge_id
        """;
}
