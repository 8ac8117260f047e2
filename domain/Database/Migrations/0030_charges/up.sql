-- Amounts are minor units. The limits of a charge are columns, so that taking one is a conditional update
-- made before the processor is called: what is being captured or refunded counts as if it had happened.
CREATE TABLE payments.charges (
    merchant_id          uuid NOT NULL,
    id                   uuid NOT NULL,
    status               text NOT NULL CHECK (status IN ('pending', 'requires_action', 'processing', 'authorized', 'partially_captured', 'captured', 'canceled', 'declined', 'expired')),
    currency             text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    amount               bigint NOT NULL CHECK (amount > 0),
    capture_method       text NOT NULL CHECK (capture_method IN ('automatic', 'manual')),
    authorized_amount    bigint NOT NULL DEFAULT 0 CHECK (authorized_amount BETWEEN 0 AND amount),
    capturing_amount     bigint NOT NULL DEFAULT 0 CHECK (capturing_amount >= 0),
    captured_amount      bigint NOT NULL DEFAULT 0 CHECK (captured_amount >= 0),
    canceled_amount      bigint NOT NULL DEFAULT 0 CHECK (canceled_amount >= 0),
    refunding_amount     bigint NOT NULL DEFAULT 0 CHECK (refunding_amount >= 0),
    refunded_amount      bigint NOT NULL DEFAULT 0 CHECK (refunded_amount >= 0),
    fee_amount           bigint NOT NULL DEFAULT 0 CHECK (fee_amount >= 0),
    payment_token        text NOT NULL,
    provider             text NOT NULL,
    provider_reference   text,
    decline_code         text,
    redirect_url         text,
    card                 jsonb,
    customer             text,
    description          text,
    statement_descriptor text,
    metadata             jsonb NOT NULL,
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL,
    expires_at           timestamptz,
    PRIMARY KEY (merchant_id, id),
    CHECK (captured_amount + capturing_amount + canceled_amount <= amount),
    CHECK (refunded_amount + refunding_amount <= captured_amount)
) WITH (fillfactor = 80);

-- Disputes and settlements name a payment by the processor's reference.
CREATE INDEX charges_by_provider_reference ON payments.charges (provider_reference, provider) WHERE provider_reference IS NOT NULL;
CREATE INDEX charges_by_expiry ON payments.charges (expires_at) WHERE status IN ('authorized', 'partially_captured', 'requires_action');

CREATE TABLE payments.refunds (
    merchant_id        uuid NOT NULL,
    id                 uuid NOT NULL,
    charge_id          uuid NOT NULL,
    status             text NOT NULL CHECK (status IN ('pending', 'processing', 'succeeded', 'failed')),
    currency           text NOT NULL,
    amount             bigint NOT NULL CHECK (amount > 0),
    reason             text,
    failure_code       text,
    provider_reference text,
    metadata           jsonb NOT NULL,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id)
) WITH (fillfactor = 90);

CREATE INDEX refunds_by_charge ON payments.refunds (merchant_id, charge_id, id);

-- One try of an operation at a provider. The reference sent to the provider is made of merchant_id and id, so
-- whatever comes back names the row without an index of its own. Open attempts are the sweeper's work list.
CREATE TABLE payments.attempts (
    merchant_id        uuid NOT NULL,
    id                 uuid NOT NULL,
    charge_id          uuid NOT NULL,
    refund_id          uuid,
    operation          text NOT NULL CHECK (operation IN ('charge', 'capture', 'cancel', 'refund')),
    status             text NOT NULL CHECK (status IN ('started', 'unknown', 'requires_action', 'succeeded', 'pending', 'declined', 'failed')),
    provider           text NOT NULL,
    amount             bigint NOT NULL CHECK (amount > 0),
    provider_reference text,
    decline_code       text,
    idempotency_key    text,
    checks             integer NOT NULL DEFAULT 0,
    next_check_at      timestamptz,
    created_at         timestamptz NOT NULL,
    finished_at        timestamptz,
    PRIMARY KEY (merchant_id, id),
    CHECK ((refund_id IS NOT NULL) = (operation = 'refund'))
) WITH (fillfactor = 80);

CREATE INDEX attempts_by_charge ON payments.attempts (merchant_id, charge_id, id);
CREATE INDEX attempts_open ON payments.attempts (next_check_at) WHERE next_check_at IS NOT NULL;
