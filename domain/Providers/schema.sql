-- A merchant's settings for providers: credentials and routing rules.

CREATE TABLE payments.provider_credentials (
    bucket      smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id uuid        NOT NULL,
    provider    text        NOT NULL CHECK (provider ~ '^[a-z0-9_]{1,32}$'),
    sealed      bytea       NOT NULL,
    shown       jsonb       NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, provider, bucket),
    FOREIGN KEY (merchant_id, bucket) REFERENCES payments.merchants (id, bucket)
);

COMMENT ON TABLE payments.provider_credentials IS 'A merchant''s credentials at a provider. A merchant without them uses the account of the platform.';
COMMENT ON COLUMN payments.provider_credentials.sealed IS 'Encrypted by the application, whose keys are not in the database.';
COMMENT ON COLUMN payments.provider_credentials.shown IS 'The parts of the credentials that the API may show.';

CREATE TABLE payments.routing (
    bucket      smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id uuid        NOT NULL,
    rules       jsonb       NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, bucket),
    FOREIGN KEY (merchant_id, bucket) REFERENCES payments.merchants (id, bucket)
);

COMMENT ON TABLE payments.routing IS
    'How a merchant''s charges are spread over providers: the rules in their order, as JSON that the application reads and checks.';
