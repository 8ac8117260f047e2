namespace Payments.Domain.Webhooks.Outbound;

internal static class OutboundSql
{
    private const string EndpointColumns =
        "id, merchant_id, url, description, event_types, api_version, status, disabled_reason, public_key, previous_secret_expires_at, created_at, updated_at";

    public const string CreateEndpoint =
        """
        INSERT INTO payments.webhook_endpoints (bucket, merchant_id, id, url, description, event_types, api_version, status, secret,
            public_key, created_at, updated_at)
        SELECT payments.bucket_of($1), $1, $2, $3, $4, $5, $6, 'enabled', $7, $10, $8, $8
        WHERE (SELECT count(*) FROM payments.webhook_endpoints WHERE merchant_id = $1) < $9
        """;

    public const string FindEndpoint = $"SELECT {EndpointColumns} FROM payments.webhook_endpoints WHERE merchant_id = $1 AND id = $2";

    public const string ListEndpoints =
        $"SELECT {EndpointColumns} FROM payments.webhook_endpoints WHERE merchant_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3";

    // An empty description removes the description. NULL leaves it unchanged.
    public const string UpdateEndpoint =
        $"""
        UPDATE payments.webhook_endpoints SET
            url = COALESCE($3, url),
            description = CASE WHEN $4::text = '' THEN NULL ELSE COALESCE($4, description) END,
            event_types = COALESCE($5, event_types),
            status = COALESCE($6, status),
            disabled_reason = CASE COALESCE($6, status) WHEN 'enabled' THEN NULL ELSE COALESCE(disabled_reason, 'merchant') END,
            updated_at = $7
        WHERE merchant_id = $1 AND id = $2
        RETURNING {EndpointColumns}
        """;

    public const string DeleteEndpoint = "DELETE FROM payments.webhook_endpoints WHERE merchant_id = $1 AND id = $2";

    public const string DeleteLane = "DELETE FROM payments.webhook_lanes WHERE endpoint_id = $1";

    // An endpoint that is enabled again starts afresh: its earlier failures no longer count.
    public const string ResetLane =
        "UPDATE payments.webhook_lanes SET failures = 0, failing_since = NULL, due_at = $2, woken = woken + 1 WHERE endpoint_id = $1";

    public const string RotateSecret =
        $"""
        UPDATE payments.webhook_endpoints SET previous_secret = secret, previous_secret_expires_at = $4, secret = $3, public_key = $6, updated_at = $5
        WHERE merchant_id = $1 AND id = $2
        RETURNING {EndpointColumns}
        """;

    public const string StaleSecrets = "SELECT merchant_id, id, secret, previous_secret FROM payments.webhook_endpoints WHERE id > $1 ORDER BY id LIMIT 500";

    public const string ResealSecret =
        "UPDATE payments.webhook_endpoints SET secret = $3, previous_secret = $4 WHERE merchant_id = $1 AND id = $2 AND secret = $5";

    public const string Disable =
        """
        UPDATE payments.webhook_endpoints SET status = 'disabled', disabled_reason = $3, updated_at = $4
        WHERE merchant_id = $1 AND id = $2 AND status = 'enabled'
        """;

    public const string CancelPending =
        """
        UPDATE payments.webhook_deliveries SET status = 'canceled', next_attempt_at = NULL, finished_at = $2
        WHERE endpoint_id = $1 AND status = 'pending'
        """;

    // Ids of deliveries sort by time: the time is that of the given id (a UUID version 7), and the rest is random.
    public const string FanOut =
        """
        WITH created AS (
            INSERT INTO payments.webhook_deliveries (bucket, merchant_id, id, endpoint_id, event_id, status, next_attempt_at, created_at,
                trace_parent)
            SELECT payments.bucket_of(i.merchant_id), i.merchant_id, (left(i.stem::text, 18) || substr(gen_random_uuid()::text, 19))::uuid,
                w.id, i.event_id, 'pending', $4, $4, i.trace_parent
            FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $5::text[]) AS i (merchant_id, event_id, stem, trace_parent)
            JOIN payments.events e ON e.merchant_id = i.merchant_id AND e.id = i.event_id
            JOIN payments.webhook_endpoints w ON w.merchant_id = i.merchant_id AND w.status = 'enabled'
                AND w.event_types && ARRAY['*', e.type, split_part(e.type, '.', 1) || '.*']
            ORDER BY i.merchant_id, i.event_id, w.id
            ON CONFLICT (merchant_id, event_id, endpoint_id, bucket) DO NOTHING
            RETURNING endpoint_id, merchant_id
        )
        INSERT INTO payments.webhook_lanes AS l (bucket, endpoint_id, merchant_id, due_at, woken)
        SELECT DISTINCT payments.bucket_of(merchant_id), endpoint_id, merchant_id, $4::timestamptz, 1 FROM created ORDER BY endpoint_id
        """ + WakeOnConflict;

    // New work does not shorten the pause of an endpoint in trouble.
    private const string WakeOnConflict =
        """

        ON CONFLICT (endpoint_id, bucket) DO UPDATE SET
            woken = l.woken + 1,
            due_at = CASE WHEN l.failures >= 3 THEN COALESCE(l.due_at, EXCLUDED.due_at) ELSE LEAST(l.due_at, EXCLUDED.due_at) END
        """;

    public const string ClaimLanes =
        """
        UPDATE payments.webhook_lanes l SET lease = $1, leased_until = $3
        FROM (
            SELECT endpoint_id FROM payments.webhook_lanes
            WHERE due_at <= $2 AND (leased_until IS NULL OR leased_until <= $2) AND (failures >= 3) = $4
            ORDER BY due_at
            LIMIT $5
            FOR UPDATE SKIP LOCKED
        ) due
        WHERE l.endpoint_id = due.endpoint_id
        RETURNING l.endpoint_id, l.merchant_id, l.failures, l.woken
        """;

    public const string LoadEndpoints =
        """
        SELECT w.id, w.url, w.api_version, w.secret, CASE WHEN w.previous_secret_expires_at > $3 THEN w.previous_secret END
        FROM unnest($1::uuid[], $2::uuid[]) AS t (merchant_id, id)
        JOIN payments.webhook_endpoints w ON w.merchant_id = t.merchant_id AND w.id = t.id AND w.status = 'enabled'
        """;

    public const string LoadDeliveries =
        """
        SELECT d.endpoint_id, d.id, d.attempts, d.trace_parent, e.id, e.merchant_id, e.type, e.object_type, e.object_id, e.sequence, e.data::text, e.created_at
        FROM unnest($1::uuid[], $2::uuid[], $3::integer[]) AS t (merchant_id, endpoint_id, take)
        CROSS JOIN LATERAL (
            SELECT p.endpoint_id, p.id, p.attempts, p.event_id, p.trace_parent FROM payments.webhook_deliveries p
            WHERE p.endpoint_id = t.endpoint_id AND p.status = 'pending' AND p.next_attempt_at <= $4
            ORDER BY p.next_attempt_at
            LIMIT t.take
        ) d
        JOIN payments.events e ON e.merchant_id = t.merchant_id AND e.id = d.event_id
        """;

    public const string LogAttempts =
        """
        INSERT INTO payments.webhook_attempts (bucket, merchant_id, delivery_id, id, outcome, status_code, latency_ms, response, created_at)
        SELECT payments.bucket_of(t.merchant_id), t.*
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::smallint[], $6::integer[], $7::text[],
            $8::timestamptz[]) AS t (merchant_id)
        """;

    public const string FinishAttempts =
        """
        UPDATE payments.webhook_deliveries d
        SET attempts = d.attempts + 1, status = t.status, next_attempt_at = t.next_attempt_at,
            finished_at = CASE WHEN t.status = 'pending' THEN NULL ELSE t.at END
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[]) AS t (merchant_id, id, status, next_attempt_at, at)
        WHERE d.merchant_id = t.merchant_id AND d.id = t.id AND d.status = 'pending'
        """;

    // Only the holder of the lease releases the lane. New work increments woken. If woken has changed since the claim, new work may be due.
    // A read of the deliveries may be too early to see that work, so due_at must not come from such a read.
    public const string ReleaseLanes =
        """
        UPDATE payments.webhook_lanes l SET
            lease = NULL,
            leased_until = NULL,
            failures = t.failures,
            failing_since = CASE WHEN t.succeeded THEN NULL WHEN t.failed THEN COALESCE(l.failing_since, t.at) ELSE l.failing_since END,
            due_at = CASE WHEN l.woken <> t.woken THEN GREATEST(t.at, t.paused_until)
                ELSE GREATEST((SELECT min(d.next_attempt_at) FROM payments.webhook_deliveries d WHERE d.endpoint_id = l.endpoint_id AND d.status = 'pending'), t.paused_until) END
        FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::integer[], $5::boolean[], $6::boolean[], $7::timestamptz[], $8::timestamptz[])
            AS t (endpoint_id, lease, woken, failures, succeeded, failed, paused_until, at)
        WHERE l.endpoint_id = t.endpoint_id AND l.lease = t.lease
        RETURNING l.endpoint_id, l.failing_since
        """;

    public const string ListDeliveries =
        """
        SELECT d.id, d.endpoint_id, d.event_id, e.type, d.status, d.attempts, d.next_attempt_at, d.created_at, d.finished_at
        FROM payments.webhook_deliveries d
        JOIN payments.events e ON e.merchant_id = d.merchant_id AND e.id = d.event_id
        WHERE d.merchant_id = $1 AND d.endpoint_id = $2 AND ($3::uuid IS NULL OR d.id < $3) AND ($4::text IS NULL OR d.status = $4)
        ORDER BY d.id DESC
        LIMIT $5
        """;

    public const string ListAttempts =
        """
        SELECT id, outcome, status_code, latency_ms, response, created_at
        FROM payments.webhook_attempts
        WHERE merchant_id = $1 AND delivery_id = $2
        ORDER BY id
        """;

    // In a range, a pending delivery that is already due is left as it is.
    public const string Resend =
        """
        WITH resent AS (
            UPDATE payments.webhook_deliveries d
            SET status = 'pending', attempts = 0, next_attempt_at = $7, finished_at = NULL
            FROM payments.webhook_endpoints w
            WHERE w.merchant_id = d.merchant_id AND w.id = d.endpoint_id AND w.status = 'enabled' AND d.merchant_id = $1
                AND ($2::uuid IS NULL OR d.id = $2)
                AND ($3::uuid IS NULL OR (d.endpoint_id = $3 AND d.created_at >= $4 AND d.created_at < $5 AND d.status = ANY($6)
                    AND (d.status <> 'pending' OR d.next_attempt_at > $7)))
            RETURNING d.endpoint_id, d.merchant_id
        ), woken AS (
            INSERT INTO payments.webhook_lanes AS l (bucket, endpoint_id, merchant_id, due_at, woken)
            SELECT DISTINCT payments.bucket_of(merchant_id), endpoint_id, merchant_id, $7::timestamptz, 1 FROM resent ORDER BY endpoint_id
            ON CONFLICT (endpoint_id, bucket) DO UPDATE SET woken = l.woken + 1, due_at = LEAST(l.due_at, EXCLUDED.due_at)
        )
        SELECT count(*) FROM resent
        """;

    // A test goes to one endpoint whatever its filters are, so it skips the fan-out.
    public const string SendTest =
        """
        WITH happened AS (
            INSERT INTO payments.events (bucket, merchant_id, id, type, object_type, object_id, sequence, data, created_at)
            SELECT payments.bucket_of(w.merchant_id), w.merchant_id, $3, 'webhook_endpoint.test', 'webhook_endpoint', w.id,
                1 + COALESCE((SELECT e.sequence FROM payments.events e WHERE e.merchant_id = $1 AND e.object_id = $2 ORDER BY e.sequence DESC LIMIT 1), 0),
                $5::jsonb, $6
            FROM payments.webhook_endpoints w WHERE w.merchant_id = $1 AND w.id = $2 AND w.status = 'enabled'
            RETURNING merchant_id, id, object_id
        ), created AS (
            INSERT INTO payments.webhook_deliveries (bucket, merchant_id, id, endpoint_id, event_id, status, next_attempt_at, created_at)
            SELECT payments.bucket_of(merchant_id), merchant_id, $4, object_id, id, 'pending', $6, $6 FROM happened
        )
        INSERT INTO payments.webhook_lanes AS l (bucket, endpoint_id, merchant_id, due_at, woken)
        SELECT payments.bucket_of(merchant_id), object_id, merchant_id, $6::timestamptz, 1 FROM happened
        ON CONFLICT (endpoint_id, bucket) DO UPDATE SET woken = l.woken + 1, due_at = LEAST(l.due_at, EXCLUDED.due_at)
        """;

    public const string KeepWeeks = "SELECT payments.keep_weeks('webhook_attempts', $1, $2)";

    public const string PurgeDeliveries =
        """
        DELETE FROM payments.webhook_deliveries
        WHERE ctid = ANY(ARRAY(SELECT ctid FROM payments.webhook_deliveries WHERE created_at < $1 AND status <> 'pending' LIMIT 5000))
        """;
}
