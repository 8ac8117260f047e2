-- Events, and the messages that carry work from one transaction to the next.

CREATE TABLE payments.events (
    bucket      smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id uuid        NOT NULL,
    id          uuid        NOT NULL,
    type        text        NOT NULL CHECK (type ~ '^[a-z_]+(\.[a-z_]+)+$'),
    object_type text        NOT NULL,
    object_id   uuid        NOT NULL,
    sequence    integer     NOT NULL CHECK (sequence > 0),
    data        jsonb       NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id, bucket)
) WITH (autovacuum_vacuum_insert_threshold = 1000000, autovacuum_analyze_threshold = 10000, autovacuum_analyze_scale_factor = 4);

COMMENT ON TABLE payments.events IS 'What happened: one row for each state change of a merchant''s object, with the object as it was then.';
COMMENT ON COLUMN payments.events.sequence IS 'Counts the events of one object from 1 without a gap, so that a reader can restore their order.';

CREATE UNIQUE INDEX events_by_object ON payments.events (merchant_id, object_id, sequence, bucket);
CREATE INDEX events_by_type ON payments.events (merchant_id, type, id);
CREATE INDEX events_by_age ON payments.events USING brin (created_at);

CREATE TABLE payments.outbox (
    id           uuid        PRIMARY KEY,
    position     bigint      GENERATED ALWAYS AS IDENTITY,
    queue        text        NOT NULL,
    type         text        NOT NULL,
    version      smallint    NOT NULL CHECK (version > 0),
    body         jsonb,
    order_key    text,
    trace_parent text,
    created_at   timestamptz NOT NULL,
    due_at       timestamptz NOT NULL,
    first_due_at timestamptz,
    attempts     integer     NOT NULL DEFAULT 0,
    last_error   text,
    put_back     smallint    NOT NULL DEFAULT 0
) WITH (
    -- Rows live for milliseconds, so the table is vacuumed by count, not by share.
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_insert_threshold = -1);

COMMENT ON TABLE payments.outbox IS
    'Node table. Messages on their way to a queue. A transaction writes its messages here; the relay sends them and deletes them.';
COMMENT ON COLUMN payments.outbox.position IS
    'The order in which messages were written. A writer holds the lock of its object, so messages with one order key commit in the order of their positions.';
COMMENT ON COLUMN payments.outbox.body IS 'NULL: the body is too large for a queue and is stored in message_bodies under the same id.';
COMMENT ON COLUMN payments.outbox.due_at IS 'When to send the message. Delays of any length work, so a queue''s limit on invisible messages does not matter.';
COMMENT ON COLUMN payments.outbox.first_due_at IS 'When a message that could not be sent was first due. due_at moves with each try; the age of the oldest message must not shrink with it.';
COMMENT ON COLUMN payments.outbox.put_back IS
    'How often the message was put back under its id. Brokers that drop duplicates must see a new message, and consumers the same one.';

CREATE INDEX outbox_due_in_order ON payments.outbox (due_at, position);
CREATE INDEX outbox_by_key ON payments.outbox (queue, order_key, position) WHERE order_key IS NOT NULL;
CREATE INDEX outbox_postponed ON payments.outbox (first_due_at) WHERE first_due_at IS NOT NULL;

CREATE TABLE payments.message_bodies (
    id         uuid        PRIMARY KEY,
    body       jsonb       NOT NULL,
    created_at timestamptz NOT NULL
);

COMMENT ON TABLE payments.message_bodies IS
    'Node table. Bodies that do not fit into a message of a queue; the message carries the id. Purged by age.';

CREATE INDEX message_bodies_by_age ON payments.message_bodies USING brin (created_at);

CREATE TABLE payments.inbox (
    consumer   text        NOT NULL,
    message_id uuid        NOT NULL,
    handled_at timestamptz NOT NULL,
    PRIMARY KEY (consumer, message_id)
);

COMMENT ON TABLE payments.inbox IS
    'Node table. Messages that a consumer has handled, written in the transaction of the effect. A message that comes again changes '
    'nothing.';

CREATE INDEX inbox_by_age ON payments.inbox USING brin (handled_at);

CREATE TABLE payments.dead_letters (
    id          uuid        PRIMARY KEY,
    queue       text        NOT NULL,
    message_id  uuid,
    type        text,
    raw         text        NOT NULL,
    reason      text        NOT NULL,
    dead_at     timestamptz NOT NULL,
    replayed_at timestamptz,
    discarded   boolean     NOT NULL DEFAULT false
);

COMMENT ON TABLE payments.dead_letters IS
    'Node table. Messages that no consumer could handle, with the reason. A row waits until an operator replays or discards it.';
COMMENT ON COLUMN payments.dead_letters.raw IS 'The message as it arrived, since it may not be a message of this platform at all.';
COMMENT ON COLUMN payments.dead_letters.replayed_at IS 'When the operator replayed the message, or decided to discard it.';
COMMENT ON COLUMN payments.dead_letters.discarded IS 'The operator decided that the message need not be handled. It left the list without being put back.';

CREATE UNIQUE INDEX dead_letters_waiting ON payments.dead_letters (queue, message_id) WHERE replayed_at IS NULL AND message_id IS NOT NULL;
