-- Refunds. Amounts are minor units of the charge's currency.

CREATE TABLE payments.refunds (
    bucket              smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id         uuid        NOT NULL,
    id                  uuid        NOT NULL,
    charge_id           uuid        NOT NULL,
    status              text        NOT NULL CHECK (status IN ('pending', 'processing', 'succeeded', 'failed')),
    currency            text        NOT NULL,
    amount              bigint      NOT NULL CHECK (amount > 0),
    fee_returned_amount bigint      NOT NULL DEFAULT 0 CHECK (fee_returned_amount >= 0),
    reason              text        CONSTRAINT refunds_reason CHECK (reason IN ('requested_by_customer', 'duplicate', 'fraudulent')),
    failure_code        text,
    provider_reference  text,
    made_elsewhere      boolean     NOT NULL DEFAULT false,
    metadata            jsonb       NOT NULL,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id, bucket)
) WITH (
    fillfactor = 90,
    autovacuum_vacuum_threshold = 200000, autovacuum_vacuum_insert_threshold = 1000000,
    autovacuum_analyze_threshold = 1000, autovacuum_analyze_scale_factor = 1);

COMMENT ON TABLE payments.refunds IS 'Money that goes back to the customer of a charge. Its attempt at the provider is a row of attempts.';
COMMENT ON COLUMN payments.refunds.fee_returned_amount IS 'The fee that went back to the merchant with the refund.';
COMMENT ON COLUMN payments.refunds.made_elsewhere IS 'True if a person made the refund at the provider, for example in its dashboard.';

CREATE INDEX refunds_by_charge ON payments.refunds (merchant_id, charge_id, id);
