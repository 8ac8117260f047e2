-- One row per Idempotency-Key of a caller. It is written with the intent and completed, with the response to
-- repeat, in the transaction of the outcome; a platform key's requests stand under the nil merchant.
CREATE TABLE payments.idempotency_keys (
    merchant_id     uuid NOT NULL,
    key             text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint     bytea NOT NULL CHECK (length(fingerprint) = 32),
    object_id       uuid NOT NULL,
    response_status smallint,
    response_body   bytea,
    -- The body holds a secret and is encrypted.
    is_sealed       boolean NOT NULL DEFAULT false,
    created_at      timestamptz NOT NULL,
    completed_at    timestamptz,
    PRIMARY KEY (merchant_id, key),
    CHECK ((completed_at IS NULL) = (response_status IS NULL) AND (completed_at IS NULL) = (response_body IS NULL))
);

CREATE INDEX idempotency_keys_by_age ON payments.idempotency_keys USING brin (created_at);
