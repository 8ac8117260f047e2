-- Webhooks in both directions: events that partners send, and deliveries of the platform's events to merchants.

-- Inbound -------------------------------------------------------------------------------------------------------------

CREATE TABLE payments.provider_events (
    provider     text        NOT NULL,
    event_id     text        NOT NULL CHECK (length(event_id) BETWEEN 1 AND 255),
    id           uuid        NOT NULL UNIQUE,
    type         text        NOT NULL,
    status       text        NOT NULL CHECK (status IN ('received', 'waiting', 'applied', 'ignored', 'failed')),
    attempts     integer     NOT NULL DEFAULT 0,
    detail       text,
    payload      bytea,
    received_at  timestamptz NOT NULL,
    processed_at timestamptz,
    PRIMARY KEY (provider, event_id),
    CHECK ((status IN ('applied', 'ignored', 'failed')) = (processed_at IS NOT NULL))
) WITH (fillfactor = 80);

COMMENT ON TABLE payments.provider_events IS
    'Platform table. The events that partners sent. An event is stored before it is acknowledged, and is unique by the partner''s own id '
    'for ever.';
COMMENT ON COLUMN payments.provider_events.payload IS 'Of events that were still open when the week of their payload was dropped.';

CREATE INDEX provider_events_open ON payments.provider_events (status, received_at) WHERE status IN ('received', 'waiting', 'failed');
CREATE INDEX provider_events_kept ON payments.provider_events (received_at) WHERE payload IS NOT NULL;
COMMENT ON INDEX payments.provider_events_kept IS 'Events are looked up by time only to process them again or to drop the payload; the rest of history is not walked.';

-- Data with a retention time is partitioned by week. Dropping a partition deletes it without a search for rows and leaves no dead rows.
CREATE TABLE payments.provider_event_payloads (
    received_at timestamptz NOT NULL,
    id          uuid        NOT NULL,
    payload     bytea       NOT NULL,
    PRIMARY KEY (received_at, id)
) PARTITION BY RANGE (received_at);

COMMENT ON TABLE payments.provider_event_payloads IS
    'Platform table. The raw bytes of provider events, as they were verified. One partition per week.';

CREATE TABLE payments.provider_event_payloads_default PARTITION OF payments.provider_event_payloads DEFAULT;
COMMENT ON TABLE payments.provider_event_payloads_default IS
    'Platform table. Takes what no week''s partition takes, so that an insert never fails for want of one.';

-- Outbound ------------------------------------------------------------------------------------------------------------

CREATE TABLE payments.webhook_endpoints (
    bucket                     smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id                uuid        NOT NULL,
    id                         uuid        NOT NULL,
    url                        text        NOT NULL CHECK (length(url) <= 2048),
    description                text,
    event_types                text[]      NOT NULL CHECK (cardinality(event_types) > 0),
    api_version                text        NOT NULL,
    status                     text        NOT NULL CHECK (status IN ('enabled', 'disabled')),
    disabled_reason            text        CHECK (disabled_reason IN ('merchant', 'gone', 'failing')),
    secret                     bytea       NOT NULL,
    public_key                 text,
    previous_secret            bytea,
    previous_secret_expires_at timestamptz,
    created_at                 timestamptz NOT NULL,
    updated_at                 timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id, bucket),
    CHECK ((status = 'disabled') = (disabled_reason IS NOT NULL)),
    CHECK ((previous_secret IS NULL) = (previous_secret_expires_at IS NULL))
);

COMMENT ON TABLE payments.webhook_endpoints IS 'Where a merchant receives events.';
COMMENT ON COLUMN payments.webhook_endpoints.event_types IS 'Exact types (charge.captured), families (charge.*) or everything (*).';
COMMENT ON COLUMN payments.webhook_endpoints.secret IS 'Encrypted with the application''s key ring. Where public_key is set, this is the private key of Ed25519.';
COMMENT ON COLUMN payments.webhook_endpoints.previous_secret IS
    'Signs beside the new secret until previous_secret_expires_at, so that the merchant can change over without losing a delivery.';

CREATE TABLE payments.webhook_deliveries (
    bucket          smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id     uuid        NOT NULL,
    id              uuid        NOT NULL,
    endpoint_id     uuid        NOT NULL,
    event_id        uuid        NOT NULL,
    status          text        NOT NULL CHECK (status IN ('pending', 'delivered', 'failed', 'canceled')),
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    trace_parent    text,
    created_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    PRIMARY KEY (merchant_id, id, bucket),
    UNIQUE (merchant_id, event_id, endpoint_id, bucket),
    CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL)),
    CHECK ((status = 'pending') = (finished_at IS NULL))
) WITH (fillfactor = 80);

COMMENT ON TABLE payments.webhook_deliveries IS 'One event on its way to one endpoint.';
COMMENT ON COLUMN payments.webhook_deliveries.trace_parent IS 'The trace of the change, so that one trace runs from the request to the merchant''s endpoint.';

CREATE INDEX webhook_deliveries_due ON payments.webhook_deliveries (endpoint_id, next_attempt_at) WHERE status = 'pending';
CREATE INDEX webhook_deliveries_by_endpoint ON payments.webhook_deliveries (merchant_id, endpoint_id, id);
CREATE INDEX webhook_deliveries_by_age ON payments.webhook_deliveries USING brin (created_at);

CREATE TABLE payments.webhook_attempts (
    bucket      smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id uuid        NOT NULL,
    delivery_id uuid        NOT NULL,
    id          uuid        NOT NULL,
    outcome     text        NOT NULL,
    status_code smallint,
    latency_ms  integer     NOT NULL,
    response    text,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, delivery_id, id, created_at, bucket)
) PARTITION BY RANGE (created_at);

COMMENT ON TABLE payments.webhook_attempts IS
    'Every try of a delivery: the status of the answer and its first kilobyte, or why there was no answer. One partition per week.';

CREATE TABLE payments.webhook_attempts_default PARTITION OF payments.webhook_attempts DEFAULT;
COMMENT ON TABLE payments.webhook_attempts_default IS 'Takes what no week''s partition takes, so that an insert never fails for want of one.';

CREATE TABLE payments.webhook_lanes (
    bucket        smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    endpoint_id   uuid        NOT NULL,
    merchant_id   uuid        NOT NULL,
    due_at        timestamptz,
    lease         uuid,
    leased_until  timestamptz,
    woken         bigint      NOT NULL DEFAULT 0,
    failures      integer     NOT NULL DEFAULT 0,
    failing_since timestamptz,
    PRIMARY KEY (endpoint_id, bucket)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

COMMENT ON TABLE payments.webhook_lanes IS
    'One lane for each endpoint that ever had work. A dispatcher leases the lane, not the delivery: one instance at a time serves an endpoint, and the backlog '
    'of a dead endpoint is a single row that no dispatcher reads before it is due.';
COMMENT ON COLUMN payments.webhook_lanes.woken IS
    'Counts new work, so that a dispatcher that gives the lane back cannot overwrite a wake-up that it did not see.';

CREATE INDEX webhook_lanes_due ON payments.webhook_lanes (due_at) WHERE due_at IS NOT NULL;

-- Retention -----------------------------------------------------------------------------------------------------------

-- Creates the partitions of this week and of the four that follow, drops those that are wholly older than the time to keep, and returns how many it dropped.
-- A timer calls it. Calling it twice has the effect of calling it once.
CREATE FUNCTION payments.keep_weeks(kept text, as_of timestamptz, keep interval) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$
DECLARE
    by_time name;
    this_week timestamptz := date_trunc('week', as_of, 'UTC');
    oldest timestamptz := date_trunc('week', as_of - keep, 'UTC');
    week timestamptz;
    child text;
    dropped integer := 0;
BEGIN
    by_time := CASE kept WHEN 'provider_event_payloads' THEN 'received_at' WHEN 'webhook_attempts' THEN 'created_at' END;
    IF by_time IS NULL THEN
        RAISE EXCEPTION 'payments.% has no partitions to look after', kept USING ERRCODE = 'invalid_parameter_value';
    END IF;

    -- Several instances run this at the same hour: one takes the advisory lock, and the others return. If another session holds a partition
    -- for long, this function must not stop the traffic behind it. So it waits only briefly for a lock, and the next night tries again.
    IF NOT pg_try_advisory_xact_lock(hashtextextended('payments.keep_weeks', 0)) THEN
        RETURN 0;
    END IF;
    PERFORM set_config('lock_timeout', '3s', true);

    FOR i IN 0..4 LOOP
        week := this_week + make_interval(days => 7 * i);
        child := kept || '_' || to_char(week AT TIME ZONE 'UTC', 'YYYYMMDD');
        CONTINUE WHEN to_regclass('payments.' || child) IS NOT NULL;
        EXECUTE format('CREATE TABLE payments.%I (LIKE payments.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', child, kept);
        EXECUTE format('LOCK TABLE payments.%I IN ACCESS EXCLUSIVE MODE', kept || '_default');
        EXECUTE format(
            'WITH moved AS (DELETE FROM payments.%I WHERE %I >= $1 AND %I < $2 RETURNING *) INSERT INTO payments.%I SELECT * FROM moved',
            kept || '_default', by_time, by_time, child)
            USING week, week + interval '7 days';
        EXECUTE format(
            'ALTER TABLE payments.%I ATTACH PARTITION payments.%I FOR VALUES FROM (%L) TO (%L)', kept, child, week, week + interval '7 days');
    END LOOP;

    -- An event that still waits for its effect, or for an operator, keeps its payload whatever its age.
    IF kept = 'provider_event_payloads' THEN
        UPDATE payments.provider_events e SET payload = p.payload
        FROM payments.provider_event_payloads p
        WHERE e.status IN ('received', 'waiting', 'failed') AND e.received_at < oldest AND p.received_at = e.received_at AND p.id = e.id;
    END IF;

    FOR child IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = to_regclass('payments.' || kept) AND c.relname ~ '_[0-9]{8}$'
            AND to_date(right(c.relname, 8), 'YYYYMMDD')::timestamp AT TIME ZONE 'UTC' < oldest
        ORDER BY c.relname
    LOOP
        EXECUTE format('DROP TABLE payments.%I', child);
        dropped := dropped + 1;
    END LOOP;
    EXECUTE format('DELETE FROM payments.%I WHERE %I < $1', kept || '_default', by_time) USING oldest;
    RETURN dropped;
END
$$;
