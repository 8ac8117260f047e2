-- Fee plans and the volumes that their tiers read.

CREATE TABLE payments.fee_plans (
    bucket         smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id    uuid        NOT NULL,
    version        integer     NOT NULL CHECK (version > 1),
    effective_from timestamptz NOT NULL,
    plan           jsonb       NOT NULL,
    created_at     timestamptz NOT NULL,
    created_by     text        NOT NULL,
    PRIMARY KEY (merchant_id, version, bucket),
    CHECK (effective_from > created_at),
    FOREIGN KEY (merchant_id, bucket) REFERENCES payments.merchants (id, bucket)
);

COMMENT ON TABLE payments.fee_plans IS
    'The versions of a merchant''s fee plan from the second on. Version 1 is merchants.fee_plan. The version with the latest '
    'effective_from that has passed is in force, and of equal ones the highest. Versions are only added.';

REVOKE UPDATE, DELETE, TRUNCATE ON payments.fee_plans FROM payments_app;

CREATE TABLE payments.monthly_volumes (
    bucket      smallint NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id uuid   NOT NULL,
    currency    text   NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    month       date   NOT NULL CHECK (extract(day FROM month) = 1),
    captured    bigint NOT NULL CHECK (captured >= 0),
    captures    bigint NOT NULL CHECK (captures >= 0),
    PRIMARY KEY (merchant_id, currency, month, bucket)
) WITH (fillfactor = 40, autovacuum_vacuum_threshold = 500);

COMMENT ON TABLE payments.monthly_volumes IS
    'What a merchant captured in a calendar month, UTC, in minor units. It is counted in the transaction of the capture''s journal. Tiers of fee plans read it.';
