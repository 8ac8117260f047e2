-- How often a message was put back under its id: brokers that drop duplicates must see a new one, consumers the same one.
ALTER TABLE payments.outbox ADD COLUMN put_back smallint NOT NULL DEFAULT 0;
