-- Every change of a merchant's money, one row for each cause, written in the transaction of the journal that moves
-- it. net counts towards the merchant's pending balance until it is released, then towards the available one,
-- until a payout takes it: so available = the released rows in no payout, at any time.
CREATE TABLE payments.balance_transactions (
    merchant_id  uuid NOT NULL,
    id           uuid NOT NULL,
    type         text NOT NULL CHECK (type IN ('charge', 'refund', 'refund_failure', 'dispute', 'dispute_fee', 'dispute_reversal', 'dispute_fee_refund', 'payout', 'payout_failure', 'adjustment', 'reserve', 'reserve_release')),
    source_id    text NOT NULL,
    -- The journal's external key: a second row for the same cause is refused.
    journal_key  text NOT NULL,
    currency     text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    amount       bigint NOT NULL,
    fee          bigint NOT NULL,
    net          bigint NOT NULL,
    available_on date NOT NULL,
    released_at  timestamptz,
    payout_id    uuid,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    CHECK (net = amount - fee)
);

CREATE UNIQUE INDEX balance_transactions_once ON payments.balance_transactions (merchant_id, journal_key);
CREATE INDEX balance_transactions_by_source ON payments.balance_transactions (merchant_id, source_id);
CREATE INDEX balance_transactions_to_release ON payments.balance_transactions (available_on, merchant_id, currency) WHERE released_at IS NULL;
CREATE INDEX balance_transactions_to_pay ON payments.balance_transactions (merchant_id, currency, id) WHERE payout_id IS NULL;
