-- What is kept for a time only stands in partitions of a week, and goes by dropping one: no row is looked for, no index is cleaned, and what
-- was deleted leaves no holes. What is unique for ever (a partner's event id) stays in a table of its own, without the bytes.

-- The raw bytes that were verified.
CREATE TABLE payments.provider_event_payloads (
    received_at timestamptz NOT NULL,
    id          uuid NOT NULL,
    payload     bytea NOT NULL,
    PRIMARY KEY (received_at, id)
) PARTITION BY RANGE (received_at);

-- Takes what no week's partition takes, so that an insert never fails for want of one.
CREATE TABLE payments.provider_event_payloads_default PARTITION OF payments.provider_event_payloads DEFAULT;

COMMENT ON COLUMN payments.provider_events.payload IS
    'Of events stored before payloads had a table of their own, and of those that were still open when their week was dropped.';

-- The log of attempts becomes the default partition of its successor.
ALTER TABLE payments.webhook_attempts RENAME TO webhook_attempts_default;
ALTER TABLE payments.webhook_attempts_default DROP CONSTRAINT webhook_attempts_pkey;
DROP INDEX payments.webhook_attempts_by_age;
CREATE TABLE payments.webhook_attempts (
    merchant_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    id          uuid NOT NULL,
    outcome     text NOT NULL,
    status_code smallint,
    latency_ms  integer NOT NULL,
    response    text,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, delivery_id, id, created_at)
) PARTITION BY RANGE (created_at);
ALTER TABLE payments.webhook_attempts ATTACH PARTITION payments.webhook_attempts_default DEFAULT;

-- Makes the partitions of this week and the four that follow, and drops those that are wholly older than the time to keep; answers how many it dropped.
-- A timer calls it. Doing it twice is doing it once.
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

    -- Other instances look after it at the same hour; and whoever holds a partition for long is not worth stopping traffic for: tomorrow is another night.
    IF NOT pg_try_advisory_xact_lock(hashtextextended('payments.keep_weeks', 0)) THEN
        RETURN 0;
    END IF;
    PERFORM set_config('lock_timeout', '3s', true);

    FOR i IN 0..4 LOOP
        week := this_week + make_interval(days => 7 * i);
        child := kept || '_' || to_char(week AT TIME ZONE 'UTC', 'YYYYMMDD');
        CONTINUE WHEN to_regclass('payments.' || child) IS NOT NULL;
        EXECUTE format('CREATE TABLE payments.%I (LIKE payments.%I INCLUDING DEFAULTS)', child, kept);
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
