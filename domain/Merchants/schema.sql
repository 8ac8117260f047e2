-- Merchants and their API keys. Merchants are the tenants: their id leads the key of every row that belongs to one.
--
-- A merchant has two accounts, a live one and a test one, and each is a row with an id of its own. The mode is part of the id, and so of
-- every key and foreign key: no statement about one account can reach rows of the other.

CREATE TABLE payments.merchants (
    bucket            smallint    NOT NULL CHECK (bucket = payments.bucket_of(id)),
    id                uuid        NOT NULL,
    mode              text        NOT NULL GENERATED ALWAYS AS (payments.mode_of(bucket)) STORED,
    name              text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    country           text        NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    status            text        NOT NULL CHECK (status IN ('active', 'suspended', 'closed')),
    fee_plan          jsonb       NOT NULL,
    payout_delay_days smallint    NOT NULL CHECK (payout_delay_days BETWEEN 0 AND 60),
    metadata          jsonb       NOT NULL,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    PRIMARY KEY (id, bucket)
);

COMMENT ON TABLE payments.merchants IS
    'The businesses that take payments through the platform: one row for the live and one for the test account of each.';
COMMENT ON COLUMN payments.merchants.country IS 'ISO 3166-1 alpha-2.';
COMMENT ON COLUMN payments.merchants.fee_plan IS 'Version 1 of the fee plan, as JSON. Only the application reads it and computes fees. Later versions are in fee_plans.';
COMMENT ON COLUMN payments.merchants.payout_delay_days IS 'Business days between a capture and the day on which its funds can be paid out.';

CREATE TABLE payments.api_keys (
    bucket      smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    id          uuid        NOT NULL,
    merchant_id uuid        NOT NULL,
    scopes      text[]      NOT NULL,
    hash        bytea       NOT NULL CHECK (length(hash) = 32),
    hint        text        NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz,
    revoked_at  timestamptz,
    PRIMARY KEY (id, bucket),
    UNIQUE (hash, bucket),
    FOREIGN KEY (merchant_id, bucket) REFERENCES payments.merchants (id, bucket)
);

COMMENT ON TABLE payments.api_keys IS
    'The keys with which merchants call the API, each of one account and so of one mode. The key itself is never stored.';
COMMENT ON COLUMN payments.api_keys.hash IS 'SHA-256 of the key. A key is 256 random bits, so an unsalted hash cannot be searched.';
COMMENT ON COLUMN payments.api_keys.hint IS 'The prefix and the last four characters of the key, so that a person can tell keys apart.';

CREATE INDEX api_keys_by_merchant ON payments.api_keys (merchant_id, id);
