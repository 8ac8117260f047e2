-- A key is taken with the intent and completed with the answer, which is seven times as long. With room for the answers in its page, completing
-- a key touches no index; the rows are as many to a page as they were.
ALTER TABLE payments.idempotency_keys SET (fillfactor = 12);
