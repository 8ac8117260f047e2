-- Where a merchant wants to hear of events. Secrets are ciphertexts of the application's key ring; the former one signs
-- along until previous_secret_expires_at, so that the merchant can change over without losing a delivery.
CREATE TABLE payments.webhook_endpoints (
    merchant_id                uuid NOT NULL,
    id                         uuid NOT NULL,
    url                        text NOT NULL CHECK (length(url) <= 2048),
    description                text,
    -- Exact types ('charge.captured'), families ('charge.*') or everything ('*').
    event_types                text[] NOT NULL CHECK (cardinality(event_types) > 0),
    api_version                text NOT NULL,
    status                     text NOT NULL CHECK (status IN ('enabled', 'disabled')),
    disabled_reason            text CHECK (disabled_reason IN ('merchant', 'gone', 'failing')),
    secret                     bytea NOT NULL,
    previous_secret            bytea,
    previous_secret_expires_at timestamptz,
    created_at                 timestamptz NOT NULL,
    updated_at                 timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    CHECK ((status = 'disabled') = (disabled_reason IS NOT NULL)),
    CHECK ((previous_secret IS NULL) = (previous_secret_expires_at IS NULL))
);

-- One event on its way to one endpoint. A pending delivery always has the time of its next attempt.
CREATE TABLE payments.webhook_deliveries (
    merchant_id     uuid NOT NULL,
    id              uuid NOT NULL,
    endpoint_id     uuid NOT NULL,
    event_id        uuid NOT NULL,
    status          text NOT NULL CHECK (status IN ('pending', 'delivered', 'failed', 'canceled')),
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    created_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    PRIMARY KEY (merchant_id, id),
    UNIQUE (merchant_id, event_id, endpoint_id),
    CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL)),
    CHECK ((status = 'pending') = (finished_at IS NULL))
) WITH (fillfactor = 80);

CREATE INDEX webhook_deliveries_due ON payments.webhook_deliveries (endpoint_id, next_attempt_at) WHERE status = 'pending';
CREATE INDEX webhook_deliveries_by_endpoint ON payments.webhook_deliveries (merchant_id, endpoint_id, id);
CREATE INDEX webhook_deliveries_by_age ON payments.webhook_deliveries USING brin (created_at);

-- Every attempt with what came back: the status, or why there was none, and the first kilobyte of the answer.
CREATE TABLE payments.webhook_attempts (
    merchant_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    id          uuid NOT NULL,
    outcome     text NOT NULL,
    status_code smallint,
    latency_ms  integer NOT NULL,
    response    text,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, delivery_id, id)
);

CREATE INDEX webhook_attempts_by_age ON payments.webhook_attempts USING brin (created_at);

-- One lane for each endpoint that ever had work: a dispatcher leases the lane, not the delivery. So an endpoint is served
-- by one instance at a time, and the backlog of a dead one is a single row that nobody looks at before it is due.
-- woken counts new work, so that a dispatcher giving the lane back cannot overwrite a wake-up that it did not see.
CREATE TABLE payments.webhook_lanes (
    endpoint_id   uuid PRIMARY KEY,
    merchant_id   uuid NOT NULL,
    due_at        timestamptz,
    lease         uuid,
    leased_until  timestamptz,
    woken         bigint NOT NULL DEFAULT 0,
    failures      integer NOT NULL DEFAULT 0,
    failing_since timestamptz
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE INDEX webhook_lanes_due ON payments.webhook_lanes (due_at) WHERE due_at IS NOT NULL;
