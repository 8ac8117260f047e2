namespace Payments.Domain.Webhooks.Inbound;

internal static class InboundSql
{
    // Lock order: (provider, event_id). Two instances that store the same events then wait for each other instead of deadlocking.
    public const string Store =
        """
        WITH stored AS (
            INSERT INTO payments.provider_events (provider, event_id, id, type, status, received_at)
            SELECT provider, event_id, id, type, 'received', received_at
            FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $6::timestamptz[]) AS t (provider, event_id, id, type, received_at)
            ORDER BY provider, event_id
            ON CONFLICT (provider, event_id) DO NOTHING
            RETURNING id, received_at
        ), kept AS (
            INSERT INTO payments.provider_event_payloads (received_at, id, payload)
            SELECT s.received_at, s.id, t.payload FROM stored s JOIN unnest($3::uuid[], $5::bytea[]) AS t (id, payload) USING (id)
        ), queued AS (
            INSERT INTO payments.outbox (id, queue, type, version, body, trace_parent, created_at, due_at)
            SELECT s.id, 'provider-events', 'provider_event.received', 1, jsonb_build_object('id', s.id, 'attempt', 0), t.trace_parent, s.received_at, s.received_at
            FROM stored s JOIN unnest($3::uuid[], $7::text[]) AS t (id, trace_parent) USING (id)
        )
        SELECT id FROM stored
        """;

    public const string Load =
        """
        SELECT e.id, e.provider, e.event_id, e.type, e.status, e.attempts, e.detail, COALESCE(p.payload, e.payload), e.received_at, e.processed_at
        FROM payments.provider_events e
        LEFT JOIN payments.provider_event_payloads p ON p.received_at = e.received_at AND p.id = e.id
        WHERE e.id = $1
        """;

    // A second handling of the same message finds a different count of attempts and changes nothing.
    public const string Finish =
        """
        UPDATE payments.provider_events e
        SET status = t.status, detail = t.detail, attempts = e.attempts + 1,
            processed_at = CASE WHEN t.status = 'waiting' THEN NULL ELSE t.at END
        FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::timestamptz[]) AS t (id, attempt, status, detail, at)
        WHERE e.id = t.id AND e.attempts = t.attempt AND e.status IN ('received', 'waiting')
        RETURNING e.id
        """;

    public const string List =
        """
        SELECT id, provider, event_id, type, status, attempts, detail, NULL::bytea, received_at, processed_at
        FROM payments.provider_events
        WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR provider = $2) AND ($3::uuid IS NULL OR id < $3)
        ORDER BY id DESC
        LIMIT $4
        """;

    // Ids are in the order of receipt, so a time range is a range of the index by id.
    public const string Replay =
        """
        UPDATE payments.provider_events e
        SET status = 'received', processed_at = NULL
        WHERE (e.id = $1 OR ($1 IS NULL AND e.id >= $5 AND e.id <= $6 AND e.received_at >= $2 AND e.received_at < $3 AND ($4::text IS NULL OR e.status = $4)))
            AND (e.payload IS NOT NULL OR EXISTS (SELECT FROM payments.provider_event_payloads p WHERE p.received_at = e.received_at AND p.id = e.id))
        RETURNING e.id, e.attempts
        """;

    public const string KeepWeeks = "SELECT payments.keep_weeks('provider_event_payloads', $1, $2)";

    public const string DropPayloads =
        """
        UPDATE payments.provider_events SET payload = NULL
        WHERE ctid = ANY(ARRAY(SELECT ctid FROM payments.provider_events
            WHERE received_at < $1 AND payload IS NOT NULL AND status IN ('applied', 'ignored') LIMIT 2000))
        """;
}
