-- When people were told that the attempt is still open.
ALTER TABLE payments.attempts ADD COLUMN overdue_at timestamptz;

-- What providers reported against what stands here: one row for an attempt and a result, however often it is told. Nothing is
-- changed by it; it waits for a person.
CREATE TABLE payments.attempt_contradictions (
    merchant_id        uuid NOT NULL,
    attempt_id         uuid NOT NULL,
    result             text NOT NULL,
    provider_reference text,
    detail             text,
    times              integer NOT NULL CHECK (times > 0),
    first_at           timestamptz NOT NULL,
    last_at            timestamptz NOT NULL,
    acknowledged_at    timestamptz,
    PRIMARY KEY (merchant_id, attempt_id, result)
);

CREATE INDEX attempt_contradictions_open ON payments.attempt_contradictions (merchant_id, attempt_id) WHERE acknowledged_at IS NULL;
