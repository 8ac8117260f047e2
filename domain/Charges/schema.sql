-- Charges and the attempts at providers that they are made of. Amounts are minor units of the charge's currency.

CREATE TABLE payments.charges (
    bucket               smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id          uuid        NOT NULL,
    id                   uuid        NOT NULL,
    status               text        NOT NULL CHECK (status IN (
        'pending', 'requires_action', 'processing', 'authorized', 'partially_captured', 'captured', 'canceled', 'declined', 'expired')),
    currency             text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    amount               bigint      NOT NULL CHECK (amount > 0),
    capture_method       text        NOT NULL CHECK (capture_method IN ('automatic', 'manual')),
    authorized_amount    bigint      NOT NULL DEFAULT 0 CHECK (authorized_amount BETWEEN 0 AND amount),
    capturing_amount     bigint      NOT NULL DEFAULT 0 CHECK (capturing_amount >= 0),
    captured_amount      bigint      NOT NULL DEFAULT 0 CHECK (captured_amount >= 0),
    canceling_amount     bigint      NOT NULL DEFAULT 0 CHECK (canceling_amount >= 0),
    canceled_amount      bigint      NOT NULL DEFAULT 0 CHECK (canceled_amount >= 0),
    refunding_amount     bigint      NOT NULL DEFAULT 0 CHECK (refunding_amount >= 0),
    refunded_amount      bigint      NOT NULL DEFAULT 0 CHECK (refunded_amount >= 0),
    fee_amount           bigint      NOT NULL DEFAULT 0 CHECK (fee_amount >= 0),
    fee_details          jsonb,
    fee_returned_amount  bigint      NOT NULL DEFAULT 0,
    payment_token        text        NOT NULL,
    provider             text        NOT NULL,
    provider_reference   text,
    decline_code         text,
    redirect_url         text,
    card                 jsonb,
    customer             text,
    description          text,
    statement_descriptor text,
    metadata             jsonb       NOT NULL,
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL,
    expires_at           timestamptz,
    first_check_at       timestamptz,
    idempotency_key      text,
    PRIMARY KEY (merchant_id, id, bucket),
    CHECK (captured_amount + capturing_amount + canceled_amount <= amount),
    CHECK (refunded_amount + refunding_amount <= captured_amount),
    CONSTRAINT charges_fee_returned CHECK (fee_returned_amount BETWEEN 0 AND fee_amount)
) WITH (
    fillfactor = 80,
    -- A young table doubles within minutes. A floor under autovacuum's share keeps it from being vacuumed and sampled every minute for nothing.
    autovacuum_vacuum_threshold = 200000, autovacuum_vacuum_insert_threshold = 1000000,
    autovacuum_analyze_threshold = 10000, autovacuum_analyze_scale_factor = 4);

COMMENT ON TABLE payments.charges IS
    'A payment by card or another method. The limits of a charge are columns: a conditional update takes its part of a limit before the provider is called.';
COMMENT ON COLUMN payments.charges.capturing_amount IS 'Counts against the limits as if it had been captured, from the moment the capture is asked for.';
COMMENT ON COLUMN payments.charges.refunding_amount IS 'Counts against the limits as if it had been refunded, from the moment the refund is asked for.';
COMMENT ON COLUMN payments.charges.canceling_amount IS
    'The amount that operations in progress give back. The CHECK of the sum omits it: a customer may still be charged during a cancel.';
COMMENT ON COLUMN payments.charges.fee_details IS 'How the fee was computed, one entry for each capture.';
COMMENT ON COLUMN payments.charges.fee_returned_amount IS 'The part of the fee that refunds have given back.';
COMMENT ON COLUMN payments.charges.first_check_at IS
    'When to ask the provider about the first attempt. NULL once that attempt has a row of its own; until then this row is the record of the attempt.';
COMMENT ON COLUMN payments.charges.idempotency_key IS 'The key of the request, for as long as the first attempt has no row of its own.';

CREATE INDEX charges_by_status ON payments.charges (merchant_id, status, id);
CREATE INDEX charges_by_amount ON payments.charges (merchant_id, amount, id);
CREATE INDEX charges_by_customer ON payments.charges (merchant_id, customer, id) WHERE customer IS NOT NULL;
CREATE INDEX charges_by_provider_reference ON payments.charges (provider_reference, provider) WHERE provider_reference IS NOT NULL;
CREATE INDEX charges_by_expiry ON payments.charges (expires_at) WHERE status IN ('authorized', 'partially_captured', 'requires_action');
CREATE INDEX charges_first_attempts ON payments.charges (first_check_at) WHERE first_check_at IS NOT NULL;
COMMENT ON INDEX payments.charges_by_status IS 'Filters of lists: the merchant first and the id last, so that one look-up returns rows in the order of the list.';
COMMENT ON INDEX payments.charges_by_provider_reference IS 'Disputes and settlements name a payment by the provider''s reference.';
COMMENT ON INDEX payments.charges_first_attempts IS 'The work list of record_first_attempts.';

CREATE TABLE payments.attempts (
    bucket             smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id        uuid        NOT NULL,
    id                 uuid        NOT NULL,
    charge_id          uuid        NOT NULL,
    refund_id          uuid,
    operation          text        NOT NULL CHECK (operation IN ('charge', 'capture', 'cancel', 'refund')),
    status             text        NOT NULL CHECK (status IN ('started', 'unknown', 'requires_action', 'succeeded', 'pending', 'declined', 'failed')),
    provider           text        NOT NULL,
    amount             bigint      NOT NULL CHECK (amount > 0),
    released_amount    bigint      NOT NULL DEFAULT 0 CHECK (released_amount >= 0),
    is_expiry          boolean     NOT NULL DEFAULT false,
    made_elsewhere     boolean     NOT NULL DEFAULT false,
    provider_reference text,
    decline_code       text,
    idempotency_key    text,
    checks             integer     NOT NULL DEFAULT 0,
    next_check_at      timestamptz,
    overdue_at         timestamptz,
    created_at         timestamptz NOT NULL,
    finished_at        timestamptz,
    PRIMARY KEY (merchant_id, id, bucket),
    CHECK ((refund_id IS NOT NULL) = (operation = 'refund'))
) WITH (
    -- Most rows are written once.
    fillfactor = 100,
    autovacuum_vacuum_threshold = 200000, autovacuum_vacuum_insert_threshold = 1000000,
    autovacuum_analyze_threshold = 10000, autovacuum_analyze_scale_factor = 4);

COMMENT ON TABLE payments.attempts IS
    'One try of an operation at a provider. The reference that is sent to the provider is made of merchant_id and id, so each answer names its row.';
COMMENT ON COLUMN payments.attempts.released_amount IS 'The amount that a final capture gives back, in minor units.';
COMMENT ON COLUMN payments.attempts.is_expiry IS 'True for the cancel of a lapsed charge.';
COMMENT ON COLUMN payments.attempts.made_elsewhere IS
    'True if a person made the operation at the provider. It lacks our reference, so the resolver cannot ask the provider about it.';
COMMENT ON COLUMN payments.attempts.next_check_at IS 'When the resolver asks the provider about the attempt. NULL once the attempt is settled.';
COMMENT ON COLUMN payments.attempts.overdue_at IS 'When the platform raised an alert because the attempt was still open.';

CREATE INDEX attempts_by_charge ON payments.attempts (merchant_id, charge_id, id);
CREATE INDEX attempts_open ON payments.attempts (next_check_at) WHERE next_check_at IS NOT NULL;
COMMENT ON INDEX payments.attempts_open IS 'The work list of the resolver.';

CREATE TABLE payments.attempt_contradictions (
    bucket             smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id        uuid        NOT NULL,
    attempt_id         uuid        NOT NULL,
    result             text        NOT NULL,
    provider_reference text,
    detail             text,
    times              integer     NOT NULL CHECK (times > 0),
    first_at           timestamptz NOT NULL,
    last_at            timestamptz NOT NULL,
    acknowledged_at    timestamptz,
    PRIMARY KEY (merchant_id, attempt_id, result, bucket)
);

COMMENT ON TABLE payments.attempt_contradictions IS
    'Reported results that contradict the recorded outcome: one row per attempt and result. They change nothing, and wait for an operator.';

CREATE INDEX attempt_contradictions_open ON payments.attempt_contradictions (merchant_id, attempt_id) WHERE acknowledged_at IS NULL;

-- The id of a charge's first attempt is the charge's id with its last bit flipped, and the other way round, so each names the other.
-- AttemptId.FirstOf computes the same.
CREATE FUNCTION payments.first_attempt(p_id uuid) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN encode(set_byte(uuid_send(p_id), 15, get_byte(uuid_send(p_id), 15) # 1), 'hex')::uuid;

CREATE VIEW payments.all_attempts AS
SELECT merchant_id, id, charge_id, refund_id, operation, status, provider, amount, provider_reference, decline_code, idempotency_key, checks, next_check_at,
    created_at, finished_at, released_amount, is_expiry, overdue_at, made_elsewhere
FROM payments.attempts
UNION ALL
SELECT merchant_id, payments.first_attempt(id), id, NULL::uuid, 'charge'::text, 'started'::text, provider, amount, NULL::text, NULL::text, idempotency_key, 0,
    first_check_at, created_at, NULL::timestamptz, 0::bigint, false, NULL::timestamptz, false
FROM payments.charges
WHERE first_check_at IS NOT NULL;

COMMENT ON VIEW payments.all_attempts IS 'Every attempt, with or without a row of its own.';

-- Inserts the missing rows of first attempts that are due for a check, oldest first, and returns how many.
-- It skips charges that another transaction has locked.
CREATE FUNCTION payments.record_first_attempts(p_due timestamptz, p_limit integer) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    WITH begun AS MATERIALIZED (
        SELECT c.merchant_id, c.id, c.provider, c.amount, c.idempotency_key, c.first_check_at, c.created_at
        FROM payments.charges c
        WHERE c.first_check_at <= p_due
        ORDER BY c.first_check_at
        LIMIT p_limit
        FOR UPDATE SKIP LOCKED
    ),
    taken AS (
        UPDATE payments.charges c SET first_check_at = NULL, idempotency_key = NULL
        FROM begun b
        WHERE c.merchant_id = b.merchant_id AND c.id = b.id
    ),
    recorded AS (
        INSERT INTO payments.attempts (bucket, merchant_id, id, charge_id, operation, status, provider, amount, idempotency_key,
            next_check_at, created_at)
        SELECT payments.bucket_of(merchant_id), merchant_id, payments.first_attempt(id), id, 'charge', 'started', provider, amount,
            idempotency_key, first_check_at, created_at FROM begun
        RETURNING 1
    )
    SELECT count(*) FROM recorded
$$;

-- Fails a statement that must change all of its rows, if other transactions have changed some of them.
CREATE FUNCTION payments.all_rows(p_changed bigint, p_expected integer) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_changed <> p_expected THEN
        RAISE EXCEPTION '% of % rows are as they were', p_changed, p_expected USING ERRCODE = 'CH001';
    END IF;
END
$$;
