-- What happened, one row for each state change of a merchant's object, with the object as it was then. sequence counts
-- an object's events from 1 without a gap: whoever reads them in any order can put them right.
CREATE TABLE payments.events (
    merchant_id uuid NOT NULL,
    id          uuid NOT NULL,
    type        text NOT NULL CHECK (type ~ '^[a-z_]+(\.[a-z_]+)+$'),
    object_type text NOT NULL,
    object_id   uuid NOT NULL,
    sequence    integer NOT NULL CHECK (sequence > 0),
    data        jsonb NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id)
);

CREATE UNIQUE INDEX events_by_object ON payments.events (merchant_id, object_id, sequence);
CREATE INDEX events_by_age ON payments.events USING brin (created_at);

-- Messages on their way to a queue, written in the transaction of what they tell and deleted once they are sent. due_at
-- carries delays of any length, so that no queue's limit on invisible messages matters. It is a queue in a table: rows
-- live for milliseconds, so it is vacuumed by count, not by share.
CREATE TABLE payments.outbox (
    id           uuid PRIMARY KEY,
    queue        text NOT NULL,
    type         text NOT NULL,
    version      smallint NOT NULL CHECK (version > 0),
    -- NULL: the body is too large for a queue and stands in message_bodies under the same id.
    body         jsonb,
    order_key    text,
    trace_parent text,
    created_at   timestamptz NOT NULL,
    due_at       timestamptz NOT NULL,
    attempts     integer NOT NULL DEFAULT 0,
    last_error   text
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_insert_threshold = -1);

CREATE INDEX outbox_due ON payments.outbox (due_at, id);

-- Bodies that do not fit into a queue's message; the message carries the id. Purged by age.
CREATE TABLE payments.message_bodies (
    id         uuid PRIMARY KEY,
    body       jsonb NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE INDEX message_bodies_by_age ON payments.message_bodies USING brin (created_at);

-- What a consumer has handled, written in the transaction of the effect: a message that comes again changes nothing.
CREATE TABLE payments.inbox (
    consumer   text NOT NULL,
    message_id uuid NOT NULL,
    handled_at timestamptz NOT NULL,
    PRIMARY KEY (consumer, message_id)
);

CREATE INDEX inbox_by_age ON payments.inbox USING brin (handled_at);

-- Messages nobody could handle, with the reason, until an operator replays or discards them. The raw text is kept, since
-- it may be no message of ours at all.
CREATE TABLE payments.dead_letters (
    id          uuid PRIMARY KEY,
    queue       text NOT NULL,
    message_id  uuid,
    type        text,
    raw         text NOT NULL,
    reason      text NOT NULL,
    dead_at     timestamptz NOT NULL,
    replayed_at timestamptz
);

CREATE UNIQUE INDEX dead_letters_waiting ON payments.dead_letters (queue, message_id) WHERE replayed_at IS NULL AND message_id IS NOT NULL;
