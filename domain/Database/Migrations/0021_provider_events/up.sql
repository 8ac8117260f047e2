-- What partners told us, as they said it, stored before it is acknowledged and unique by the partner's own event id.
CREATE TABLE payments.provider_events (
    provider     text NOT NULL,
    event_id     text NOT NULL CHECK (length(event_id) BETWEEN 1 AND 255),
    id           uuid NOT NULL UNIQUE,
    type         text NOT NULL,
    status       text NOT NULL CHECK (status IN ('received', 'waiting', 'applied', 'ignored', 'failed')),
    attempts     integer NOT NULL DEFAULT 0,
    detail       text,
    -- The raw bytes that were verified; NULL once the retention time is over.
    payload      bytea,
    received_at  timestamptz NOT NULL,
    processed_at timestamptz,
    PRIMARY KEY (provider, event_id),
    CHECK ((status IN ('applied', 'ignored', 'failed')) = (processed_at IS NOT NULL))
) WITH (fillfactor = 80);

CREATE INDEX provider_events_open ON payments.provider_events (status, received_at) WHERE status IN ('received', 'waiting', 'failed');
CREATE INDEX provider_events_by_time ON payments.provider_events (received_at);
