-- Idempotency keys: a request that is repeated with the same key gets the stored answer of the first one.

CREATE TABLE payments.idempotency_keys (
    bucket          smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id     uuid        NOT NULL,
    key             text        NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint     bytea       NOT NULL CHECK (length(fingerprint) = 32),
    object_id       uuid        NOT NULL,
    response_status smallint,
    response_body   bytea,
    is_sealed       boolean     NOT NULL DEFAULT false,
    created_at      timestamptz NOT NULL,
    completed_at    timestamptz,
    PRIMARY KEY (merchant_id, key, bucket),
    CHECK ((completed_at IS NULL) = (response_status IS NULL) AND (completed_at IS NULL) = (response_body IS NULL))
) WITH (
    -- Completing a key makes its row seven times as long. With room for the answers in the page, completing touches no index.
    fillfactor = 12,
    -- Each row is completed once, within its page, and deleted after 48 hours. Vacuum is for the deleted rows only.
    autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_scale_factor = 1.5, autovacuum_vacuum_insert_threshold = -1,
    autovacuum_analyze_threshold = 10000, autovacuum_analyze_scale_factor = 4);

COMMENT ON TABLE payments.idempotency_keys IS
    'One row per Idempotency-Key of a caller. It is written with the intent and completed, with the answer to repeat, in the transaction of the outcome.';
COMMENT ON COLUMN payments.idempotency_keys.merchant_id IS 'The nil UUID for requests that were made with a platform key.';
COMMENT ON COLUMN payments.idempotency_keys.fingerprint IS 'SHA-256 of the request. Another request with the same key is refused.';
COMMENT ON COLUMN payments.idempotency_keys.is_sealed IS 'The response body holds a secret and is encrypted.';

CREATE INDEX idempotency_keys_by_age ON payments.idempotency_keys USING brin (created_at);
