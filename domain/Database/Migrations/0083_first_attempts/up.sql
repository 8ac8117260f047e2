-- A charge that is just being taken is its own record of its first attempt: what the attempt's row would say stands in the charge's. The row is written with the first thing that is
-- learned of the attempt, so that it is written once; before, it was written with the charge and written over some milliseconds later.
-- first_check_at: when to ask the provider, and null once the attempt has a row. Charges of the version before have one from the start, and it goes on writing them so.
ALTER TABLE payments.charges ADD COLUMN first_check_at timestamptz, ADD COLUMN idempotency_key text;
CREATE INDEX charges_first_attempts ON payments.charges (first_check_at) WHERE first_check_at IS NOT NULL;

-- The id of a charge's first attempt is the charge's with its last bit turned, and the other way round: whatever names the attempt names the charge. (AttemptId.FirstOf says the same.)
CREATE FUNCTION payments.first_attempt(p_id uuid) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN encode(set_byte(uuid_send(p_id), 15, get_byte(uuid_send(p_id), 15) # 1), 'hex')::uuid;

-- Every attempt, whether it has a row or not.
CREATE VIEW payments.all_attempts AS
SELECT merchant_id, id, charge_id, refund_id, operation, status, provider, amount, provider_reference, decline_code, idempotency_key, checks, next_check_at, created_at, finished_at, released_amount,
    is_expiry, overdue_at
FROM payments.attempts
UNION ALL
SELECT merchant_id, payments.first_attempt(id), id, NULL::uuid, 'charge'::text, 'started'::text, provider, amount, NULL::text, NULL::text, idempotency_key, 0, first_check_at, created_at, NULL::timestamptz,
    0::bigint, false, NULL::timestamptz
FROM payments.charges
WHERE first_check_at IS NOT NULL;

-- Gives first attempts their rows that nobody has heard of when they were to be asked about, the oldest first; answers how many. Those that are just being recorded are left out.
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
        INSERT INTO payments.attempts (merchant_id, id, charge_id, operation, status, provider, amount, idempotency_key, next_check_at, created_at)
        SELECT merchant_id, payments.first_attempt(id), id, 'charge', 'started', provider, amount, idempotency_key, first_check_at, created_at FROM begun
        RETURNING 1
    )
    SELECT count(*) FROM recorded
$$;

-- Written once, most of them.
ALTER TABLE payments.attempts SET (fillfactor = 100);
