-- What a merchant has to say, kept as a draft until it is submitted. Files lie in blob storage under their hash.
CREATE TABLE payments.dispute_evidence (
    merchant_id uuid NOT NULL,
    dispute_id  uuid NOT NULL,
    text        text,
    fields      jsonb NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, dispute_id)
);

CREATE TABLE payments.dispute_evidence_files (
    merchant_id  uuid NOT NULL,
    dispute_id   uuid NOT NULL,
    hash         bytea NOT NULL CHECK (length(hash) = 32),
    purpose      text NOT NULL,
    name         text NOT NULL,
    content_type text NOT NULL,
    size         integer NOT NULL CHECK (size > 0),
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, dispute_id, hash)
);

-- An answer on its way to the provider: recorded before it is sent and ended once the outcome is known. One at a time for a dispute.
CREATE TABLE payments.dispute_responses (
    merchant_id     uuid NOT NULL,
    id              uuid NOT NULL,
    dispute_id      uuid NOT NULL,
    stage           text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('submit', 'accept')),
    status          text NOT NULL CHECK (status IN ('started', 'unknown', 'done', 'refused')),
    -- What was sent, as it was sent.
    evidence        jsonb NOT NULL,
    detail          text,
    idempotency_key text NOT NULL,
    checks          integer NOT NULL,
    next_check_at   timestamptz,
    created_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    PRIMARY KEY (merchant_id, id),
    CHECK ((status IN ('started', 'unknown')) = (next_check_at IS NOT NULL)),
    CHECK ((status IN ('done', 'refused')) = (finished_at IS NOT NULL))
);

CREATE UNIQUE INDEX dispute_responses_open ON payments.dispute_responses (merchant_id, dispute_id) WHERE status IN ('started', 'unknown');
CREATE INDEX dispute_responses_by_dispute ON payments.dispute_responses (merchant_id, dispute_id, id);
CREATE INDEX dispute_responses_to_check ON payments.dispute_responses (next_check_at) WHERE next_check_at IS NOT NULL;
