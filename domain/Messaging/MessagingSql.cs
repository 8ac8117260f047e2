namespace Payments.Domain.Messaging;

internal static class MessagingSql
{
    // The caller holds the locks of the objects, so their highest sequence cannot change meanwhile. If it did, the unique index would
    // refuse the event. An event that no endpoint of the merchant may want leaves no message.
    public const string AppendEvents =
        """
        WITH input AS (
            SELECT t.*, row_number() OVER (PARTITION BY merchant_id, object_id ORDER BY ord) AS nth
            FROM (
                SELECT unnest($1::uuid[]) AS merchant_id, unnest($2::uuid[]) AS id, unnest($3::text[]) AS type, unnest($4::text[]) AS object_type, unnest($5::uuid[]) AS object_id,
                    unnest($6::text[]) AS data, unnest($7::timestamptz[]) AS created_at, unnest($8::text[]) AS trace_parent, generate_subscripts($1::uuid[], 1) AS ord
            ) AS t
        ), appended AS (
            INSERT INTO payments.events (bucket, merchant_id, id, type, object_type, object_id, sequence, data, created_at)
            SELECT payments.bucket_of(i.merchant_id), i.merchant_id, i.id, i.type, i.object_type, i.object_id,
                i.nth + COALESCE((SELECT e.sequence FROM payments.events e
                    WHERE e.merchant_id = i.merchant_id AND e.object_id = i.object_id ORDER BY e.sequence DESC LIMIT 1), 0),
                i.data::jsonb, i.created_at
            FROM input i
        )
        INSERT INTO payments.outbox (id, queue, type, version, body, order_key, trace_parent, created_at, due_at)
        SELECT i.id, 'webhook-deliveries', 'event.created', 1,
            jsonb_build_object('merchant_id', i.merchant_id, 'event_id', i.id), NULL, i.trace_parent, i.created_at, i.created_at
        FROM input i
        WHERE EXISTS (
            SELECT FROM payments.webhook_endpoints w
            WHERE w.merchant_id = i.merchant_id AND w.status = 'enabled'
                AND w.event_types && ARRAY['*', i.type, split_part(i.type, '.', 1) || '.*'])
        """;

    // Like AppendEvents, for objects that this transaction created. Each event is the first of its object, so no sequence is read.
    public const string AppendFirstEvents =
        """
        WITH input AS (
            SELECT unnest($1::uuid[]) AS merchant_id, unnest($2::uuid[]) AS id, unnest($3::text[]) AS type, unnest($4::text[]) AS object_type, unnest($5::uuid[]) AS object_id,
                unnest($6::text[]) AS data, unnest($7::timestamptz[]) AS created_at, unnest($8::text[]) AS trace_parent
        ), appended AS (
            INSERT INTO payments.events (bucket, merchant_id, id, type, object_type, object_id, sequence, data, created_at)
            SELECT payments.bucket_of(i.merchant_id), i.merchant_id, i.id, i.type, i.object_type, i.object_id, 1, i.data::jsonb,
                i.created_at
            FROM input i
        )
        INSERT INTO payments.outbox (id, queue, type, version, body, order_key, trace_parent, created_at, due_at)
        SELECT i.id, 'webhook-deliveries', 'event.created', 1,
            jsonb_build_object('merchant_id', i.merchant_id, 'event_id', i.id), NULL, i.trace_parent, i.created_at, i.created_at
        FROM input i
        WHERE EXISTS (
            SELECT FROM payments.webhook_endpoints w
            WHERE w.merchant_id = i.merchant_id AND w.status = 'enabled'
                AND w.event_types && ARRAY['*', i.type, split_part(i.type, '.', 1) || '.*'])
        """;

    public const string Enqueue =
        """
        INSERT INTO payments.outbox (id, queue, type, version, body, order_key, trace_parent, created_at, due_at)
        SELECT id, queue, type, version, body::jsonb, order_key, trace_parent, created_at, due_at
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::smallint[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::timestamptz[])
            AS t (id, queue, type, version, body, order_key, trace_parent, created_at, due_at)
        """;

    public const string KeepBodies =
        """
        INSERT INTO payments.message_bodies (id, body, created_at)
        SELECT id, body::jsonb, created_at FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS t (id, body, created_at)
        """;

    public const string ReadBody = "SELECT body::text FROM payments.message_bodies WHERE id = $1";

    // $1 is now. $2 is $1 plus the time that the transport sends ahead. A message whose send failed is claimed only once its retry is due
    // at $1. While an earlier message of an order key waits for its retry, the later messages of the key wait too.
    public const string ClaimOutbox =
        """
        SELECT id, queue, type, version, body::text, order_key, trace_parent, created_at, due_at, attempts, put_back, position
        FROM payments.outbox o
        WHERE due_at <= $2 AND (first_due_at IS NULL OR due_at <= $1) AND (order_key IS NULL OR NOT EXISTS (
            SELECT FROM payments.outbox e
            WHERE e.queue = o.queue AND e.order_key = o.order_key AND e.position < o.position AND e.first_due_at IS NOT NULL AND e.due_at > $1))
        ORDER BY due_at, position
        LIMIT $3
        FOR UPDATE SKIP LOCKED
        """;

    // For each order key, the first position that another relay holds or has just postponed. This relay must not send that position or a
    // later one.
    public const string HeldElsewhere =
        """
        SELECT k.queue, k.order_key, min(o.position)
        FROM unnest($1::text[], $2::text[]) AS k (queue, order_key)
        JOIN payments.outbox o ON o.queue = k.queue AND o.order_key = k.order_key
        WHERE COALESCE(o.first_due_at, o.due_at) <= $3 AND NOT (o.id = ANY($4))
        GROUP BY 1, 2
        """;

    public const string PutBack =
        """
        INSERT INTO payments.outbox (id, queue, type, version, body, order_key, trace_parent, created_at, due_at, put_back)
        VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8, $9, $10)
        ON CONFLICT (id) DO NOTHING
        """;

    public const string DeleteSent = "DELETE FROM payments.outbox WHERE id = ANY($1)";

    public const string Postpone =
        """
        UPDATE payments.outbox o
        SET attempts = o.attempts + 1, first_due_at = COALESCE(o.first_due_at, o.due_at), due_at = t.due_at, last_error = t.error
        FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS t (id, due_at, error)
        WHERE o.id = t.id
        """;

    // Three times: the oldest due time at $1, including messages that wait for another try; the next due time after $2; the next try.
    public const string OutboxState =
        """
        SELECT LEAST(
                (SELECT due_at FROM payments.outbox WHERE due_at <= $1 ORDER BY due_at LIMIT 1),
                (SELECT min(first_due_at) FROM payments.outbox WHERE first_due_at IS NOT NULL)),
            (SELECT due_at FROM payments.outbox WHERE due_at > $2 AND first_due_at IS NULL ORDER BY due_at LIMIT 1),
            (SELECT min(due_at) FROM payments.outbox WHERE first_due_at IS NOT NULL AND due_at > $1)
        """;

    public const string RecordHandled =
        """
        INSERT INTO payments.inbox (consumer, message_id, handled_at) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING
        """;

    public const string RecordManyHandled =
        """
        INSERT INTO payments.inbox (consumer, message_id, handled_at) SELECT $1, id, $3 FROM unnest($2::uuid[]) AS t (id)
        ON CONFLICT DO NOTHING
        RETURNING message_id
        """;

    public const string KeepDeadLetter =
        """
        INSERT INTO payments.dead_letters (id, queue, message_id, type, raw, reason, dead_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (queue, message_id) WHERE replayed_at IS NULL AND message_id IS NOT NULL DO NOTHING
        """;

    public const string ListDeadLetters =
        """
        SELECT id, queue, message_id, type, raw, reason, dead_at, replayed_at
        FROM payments.dead_letters
        WHERE ($1::text IS NULL OR queue = $1) AND ($2::uuid IS NULL OR id < $2) AND replayed_at IS NULL
        ORDER BY id DESC
        LIMIT $3
        """;

    public const string TakeDeadLetters =
        """
        UPDATE payments.dead_letters SET replayed_at = $4
        WHERE replayed_at IS NULL AND message_id IS NOT NULL
            AND (id = $1 OR ($1 IS NULL AND dead_at >= $2 AND dead_at < $3))
        RETURNING queue, raw
        """;

    public const string DiscardDeadLetter = "UPDATE payments.dead_letters SET replayed_at = $2, discarded = true WHERE id = $1 AND replayed_at IS NULL";

    // Small deletes, so that a purge never holds many locks and other transactions do not wait for its commit.
    public const string PurgeInbox =
        "DELETE FROM payments.inbox WHERE ctid = ANY(ARRAY(SELECT ctid FROM payments.inbox WHERE handled_at < $1 LIMIT 5000))";

    // A message that is still to be sent, or that an operator may still replay, keeps its body whatever its age.
    public const string PurgeBodies =
        """
        DELETE FROM payments.message_bodies WHERE ctid = ANY(ARRAY(
            SELECT b.ctid FROM payments.message_bodies b
            WHERE b.created_at < $1
                AND NOT EXISTS (SELECT FROM payments.outbox o WHERE o.id = b.id)
                AND NOT EXISTS (SELECT FROM payments.dead_letters d WHERE d.message_id = b.id AND d.replayed_at IS NULL)
            LIMIT 5000))
        """;

    public const string PurgeDeadLetters =
        "DELETE FROM payments.dead_letters WHERE ctid = ANY(ARRAY(SELECT ctid FROM payments.dead_letters WHERE replayed_at < $1 LIMIT 5000))";
}
