-- Balance transactions: every change of a merchant's money, as the merchant sees it. Amounts are minor units.

CREATE TABLE payments.balance_transactions (
    bucket       smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id  uuid        NOT NULL,
    id           uuid        NOT NULL,
    type         text        NOT NULL CHECK (type IN (
        'charge', 'refund', 'refund_failure', 'dispute', 'dispute_fee', 'dispute_reversal', 'dispute_fee_refund', 'payout', 'payout_failure', 'adjustment',
        'reserve', 'reserve_release')),
    source_id    text        NOT NULL,
    journal_key  text        NOT NULL,
    currency     text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    amount       bigint      NOT NULL,
    fee          bigint      NOT NULL,
    net          bigint      NOT NULL,
    available_on date        NOT NULL,
    released_at  timestamptz,
    batch_id     uuid,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id, bucket),
    CHECK (net = amount - fee),
    CONSTRAINT balance_transactions_batch_is_of_released CHECK (batch_id IS NULL OR released_at IS NOT NULL)
) WITH (
    autovacuum_vacuum_threshold = 200000, autovacuum_vacuum_insert_threshold = 1000000,
    autovacuum_analyze_threshold = 10000, autovacuum_analyze_scale_factor = 4);

COMMENT ON TABLE payments.balance_transactions IS
    'One row for each change of a merchant''s money, written in the transaction of the journal that moves it. net counts towards the pending balance until it is '
    'released, then towards the available balance until a payout takes it. So the available balance is always the sum of the released rows in no payout.';
COMMENT ON COLUMN payments.balance_transactions.journal_key IS
    'The external key of the journal. A second row with the same key is refused.';
COMMENT ON COLUMN payments.balance_transactions.available_on IS 'The business day from which the row can be released.';
COMMENT ON COLUMN payments.balance_transactions.batch_id IS
    'The batch of the row. Releasing puts a row into the open batch of merchant and currency. A payout takes that batch, with the rows '
    'that were available from the start, and opens the next. NULL before that.';

CREATE UNIQUE INDEX balance_transactions_by_source ON payments.balance_transactions (merchant_id, source_id, journal_key, bucket);
CREATE INDEX balance_transactions_by_type ON payments.balance_transactions (merchant_id, type, id) WHERE type <> 'charge';
CREATE INDEX balance_transactions_by_batch ON payments.balance_transactions (merchant_id, batch_id, id) WHERE batch_id IS NOT NULL;
CREATE INDEX balance_transactions_to_release ON payments.balance_transactions (available_on, merchant_id, currency) WHERE released_at IS NULL;
CREATE INDEX balance_transactions_released ON payments.balance_transactions (merchant_id, currency, id) WHERE batch_id IS NULL AND released_at IS NOT NULL;
COMMENT ON INDEX payments.balance_transactions_by_source IS
    'Finds the rows of a source and refuses the second row of a journal: the source follows from the journal''s key.';
COMMENT ON INDEX payments.balance_transactions_by_type IS
    'Most rows are charges, which the primary key serves. So this index leaves charges out.';
