-- A capture, cancel or refund that somebody made at the provider, in its dashboard say, and not through this platform. Nothing there bears our reference, so nobody asks the provider about it.
ALTER TABLE payments.attempts ADD COLUMN made_elsewhere boolean NOT NULL DEFAULT false;
ALTER TABLE payments.refunds ADD COLUMN made_elsewhere boolean NOT NULL DEFAULT false;

-- As before, with the new column behind the others.
CREATE OR REPLACE VIEW payments.all_attempts AS
SELECT merchant_id, id, charge_id, refund_id, operation, status, provider, amount, provider_reference, decline_code, idempotency_key, checks, next_check_at, created_at, finished_at, released_amount,
    is_expiry, overdue_at, made_elsewhere
FROM payments.attempts
UNION ALL
SELECT merchant_id, payments.first_attempt(id), id, NULL::uuid, 'charge'::text, 'started'::text, provider, amount, NULL::text, NULL::text, idempotency_key, 0, first_check_at, created_at, NULL::timestamptz,
    0::bigint, false, NULL::timestamptz, false
FROM payments.charges
WHERE first_check_at IS NOT NULL;
