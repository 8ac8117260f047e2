-- The versions of a merchant's fee plan from the second on; the first is merchants.fee_plan, in force since the merchant was taken on.
-- In force is the version with the latest effective_from that has come; of equal ones the highest. Versions are only added.
CREATE TABLE payments.fee_plans (
    merchant_id    uuid NOT NULL REFERENCES payments.merchants (id),
    version        integer NOT NULL CHECK (version > 1),
    effective_from timestamptz NOT NULL,
    plan           jsonb NOT NULL,
    created_at     timestamptz NOT NULL,
    created_by     text NOT NULL,
    PRIMARY KEY (merchant_id, version),
    CHECK (effective_from > created_at)
);

REVOKE UPDATE, DELETE, TRUNCATE ON payments.fee_plans FROM payments_app;

-- What a merchant captured in a calendar month, UTC, in minor units; counted in the transaction of the capture's journal. Tiers of fee plans read it.
CREATE TABLE payments.monthly_volumes (
    merchant_id uuid NOT NULL,
    currency    text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    month       date NOT NULL CHECK (extract(day FROM month) = 1),
    captured    bigint NOT NULL CHECK (captured >= 0),
    captures    bigint NOT NULL CHECK (captures >= 0),
    PRIMARY KEY (merchant_id, currency, month)
) WITH (fillfactor = 40, autovacuum_vacuum_threshold = 500);

-- How the fee came about, one entry for each capture; and how much of it refunds have given back.
ALTER TABLE payments.charges
    ADD COLUMN fee_details jsonb,
    ADD COLUMN fee_returned_amount bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT charges_fee_returned CHECK (fee_returned_amount BETWEEN 0 AND fee_amount);

-- The fee that went back to the merchant with the refund.
ALTER TABLE payments.refunds
    ADD COLUMN fee_returned_amount bigint NOT NULL DEFAULT 0 CHECK (fee_returned_amount >= 0);
