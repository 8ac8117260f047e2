namespace Payments.Domain.Audit;

internal static class AuditSql
{
    public const string Append =
        """
        INSERT INTO payments.audit_log (bucket, id, actor, action, object_type, object_id, merchant_id, detail, request_id, trace_id,
            created_at)
        SELECT payments.bucket_of(merchant_id), id, actor, action, object_type, object_id, merchant_id, detail::jsonb, request_id, $9, $10
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::text[])
            AS t (id, actor, action, object_type, object_id, merchant_id, detail, request_id)
        """;

    public const string List =
        """
        SELECT id, actor, action, object_type, object_id, merchant_id, detail::text, request_id, trace_id, created_at
        FROM payments.audit_log
        WHERE ($1::uuid IS NULL OR merchant_id = $1) AND ($2::text IS NULL OR actor = $2) AND ($3::text IS NULL OR action = $3)
            AND ($4::text IS NULL OR object_id = $4) AND ($5::timestamptz IS NULL OR created_at >= $5) AND ($6::timestamptz IS NULL OR created_at < $6)
            AND ($7::uuid IS NULL OR id < $7)
        ORDER BY id DESC
        LIMIT $8
        """;
}
