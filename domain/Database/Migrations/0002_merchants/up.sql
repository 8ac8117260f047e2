-- Merchants are the tenants: their id leads the key of every row that belongs to one.
CREATE TABLE payments.merchants (
    id          uuid PRIMARY KEY,
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    country     text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    status      text NOT NULL CHECK (status IN ('active', 'suspended', 'closed')),
    -- The fee plan as JSON: read and checked by the application, which alone computes fees.
    fee_plan    jsonb NOT NULL,
    -- Business days between a capture and the day its funds can be paid out.
    payout_delay_days smallint NOT NULL CHECK (payout_delay_days BETWEEN 0 AND 60),
    metadata    jsonb NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);

-- A key is 256 random bits, so an unsalted SHA-256 cannot be searched; the key itself is never stored.
CREATE TABLE payments.api_keys (
    id          uuid PRIMARY KEY,
    merchant_id uuid NOT NULL REFERENCES payments.merchants (id),
    mode        text NOT NULL CHECK (mode IN ('test', 'live')),
    scopes      text[] NOT NULL,
    hash        bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
    hint        text NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz,
    revoked_at  timestamptz
);

CREATE INDEX api_keys_by_merchant ON payments.api_keys (merchant_id, id);
