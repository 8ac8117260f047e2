-- What a merchant proves itself with at a provider, where it does not use the platform's account there. Sealed by the application, whose keys are
-- not in the database; beside it what may be shown.
CREATE TABLE payments.provider_credentials (
    merchant_id uuid NOT NULL REFERENCES payments.merchants (id),
    provider    text NOT NULL CHECK (provider ~ '^[a-z0-9_]{1,32}$'),
    sealed      bytea NOT NULL,
    shown       jsonb NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, provider)
);
