-- What a merchant set up for providers: credentials of its own, and routing rules.

CREATE TABLE payments.provider_credentials (
    merchant_id uuid        NOT NULL REFERENCES payments.merchants (id),
    provider    text        NOT NULL CHECK (provider ~ '^[a-z0-9_]{1,32}$'),
    sealed      bytea       NOT NULL,
    shown       jsonb       NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, provider)
);

COMMENT ON TABLE payments.provider_credentials IS 'A merchant''s credentials at a provider. A merchant without them uses the account of the platform.';
COMMENT ON COLUMN payments.provider_credentials.sealed IS 'Encrypted by the application, whose keys are not in the database.';
COMMENT ON COLUMN payments.provider_credentials.shown IS 'What the API may show of them.';

CREATE TABLE payments.routing (
    merchant_id uuid        PRIMARY KEY REFERENCES payments.merchants (id),
    rules       jsonb       NOT NULL,
    updated_at  timestamptz NOT NULL
);

COMMENT ON TABLE payments.routing IS
    'How a merchant''s charges are spread over providers: the rules in their order, as JSON that the application reads and checks.';
