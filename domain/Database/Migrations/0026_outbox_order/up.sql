-- The order in which messages were written. Ids of one millisecond have none, and messages of one order key are sent in the order of their object's
-- changes: whoever writes them holds the object's lock, so that no later one commits before an earlier one.
ALTER TABLE payments.outbox ADD COLUMN position bigint GENERATED ALWAYS AS IDENTITY;

-- When a message that could not be sent was first due: due_at moves on with each try, and the age of the oldest must not go down with it.
ALTER TABLE payments.outbox ADD COLUMN first_due_at timestamptz;

CREATE INDEX outbox_due_in_order ON payments.outbox (due_at, position);
DROP INDEX payments.outbox_due;
CREATE INDEX outbox_by_key ON payments.outbox (queue, order_key, position) WHERE order_key IS NOT NULL;
CREATE INDEX outbox_postponed ON payments.outbox (first_due_at) WHERE first_due_at IS NOT NULL;

-- An operator decided that it need not be handled: it left the list without being put back. replayed_at is then the time of that decision.
ALTER TABLE payments.dead_letters ADD COLUMN discarded boolean NOT NULL DEFAULT false;
