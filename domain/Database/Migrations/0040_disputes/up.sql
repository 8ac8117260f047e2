-- A dispute is the set of its updates. The row holds what they say together and what the ledger has posted for it;
-- both change in one transaction. Amounts are minor units: "amount" and "returned_amount" of the dispute's own currency,
-- what the merchant bears and pays of the charge's.
CREATE TABLE payments.disputes (
    merchant_id               uuid NOT NULL,
    id                        uuid NOT NULL,
    charge_id                 uuid NOT NULL,
    provider                  text NOT NULL,
    provider_dispute_id       text NOT NULL,
    stage                     text NOT NULL CHECK (stage IN ('early_warning', 'inquiry', 'chargeback', 'pre_arbitration', 'arbitration')),
    status                    text NOT NULL CHECK (status IN ('warning_needs_response', 'warning_under_review', 'warning_closed', 'prevented', 'needs_response', 'expired', 'under_review', 'accepted', 'won', 'lost')),
    currency                  text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    amount                    bigint NOT NULL CHECK (amount > 0),
    returned_amount           bigint CHECK (returned_amount >= 0 AND returned_amount < amount),
    merchant_currency         text CHECK (merchant_currency ~ '^[A-Z]{3}$'),
    merchant_amount           bigint CHECK (merchant_amount > 0),
    network                   text,
    network_reason_code       text,
    reason                    text NOT NULL,
    evidence_due_by           timestamptz,
    evidence_due_by_default   boolean NOT NULL,
    opened_at                 timestamptz NOT NULL,
    changed_at                timestamptz NOT NULL,
    charge_currency           text NOT NULL CHECK (charge_currency ~ '^[A-Z]{3}$'),
    charge_amount             bigint NOT NULL CHECK (charge_amount > 0),
    fee_chargeback            bigint NOT NULL CHECK (fee_chargeback >= 0),
    fee_pre_arbitration       bigint NOT NULL CHECK (fee_pre_arbitration >= 0),
    fee_arbitration           bigint NOT NULL CHECK (fee_arbitration >= 0),
    fee_refunded_when_won     boolean NOT NULL,
    posted_disputed           bigint NOT NULL CHECK (posted_disputed >= 0),
    posted_taken              bigint NOT NULL CHECK (posted_taken >= 0),
    posted_taken_at_processor bigint NOT NULL CHECK (posted_taken_at_processor >= 0),
    posted_fee                bigint NOT NULL CHECK (posted_fee >= 0),
    journals                  integer NOT NULL CHECK (journals >= 0),
    version                   integer NOT NULL CHECK (version > 0),
    created_at                timestamptz NOT NULL,
    updated_at                timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    CHECK ((merchant_currency IS NULL) = (merchant_amount IS NULL))
) WITH (fillfactor = 80);

CREATE UNIQUE INDEX disputes_once ON payments.disputes (merchant_id, provider, provider_dispute_id);
CREATE INDEX disputes_by_provider_id ON payments.disputes (provider_dispute_id, provider);
CREATE INDEX disputes_by_charge ON payments.disputes (merchant_id, charge_id);
CREATE INDEX disputes_awaiting_response ON payments.disputes (evidence_due_by) WHERE status IN ('needs_response', 'warning_needs_response');
CREATE INDEX disputes_of_merchant_by_due_date ON payments.disputes (merchant_id, (coalesce(evidence_due_by, 'infinity')), id);

-- Everything that was ever said about a dispute and who said it. The fingerprint covers what is said, so a repeat is one row.
CREATE TABLE payments.dispute_updates (
    merchant_id         uuid NOT NULL,
    dispute_id          uuid NOT NULL,
    fingerprint         uuid NOT NULL,
    charge_reference    text,
    stage               text NOT NULL,
    status              text NOT NULL,
    currency            text,
    amount              bigint,
    returned_amount     bigint,
    merchant_currency   text,
    merchant_amount     bigint,
    network             text,
    network_reason_code text,
    reason              text,
    evidence_due_by     timestamptz,
    occurred_at         timestamptz NOT NULL,
    source              text NOT NULL CHECK (source IN ('webhook', 'file', 'import', 'merchant', 'clock', 'rule')),
    source_reference    text NOT NULL,
    received_at         timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, dispute_id, fingerprint)
);

-- Updates whose charge is not known yet. They are looked for again with growing pauses and never dropped; they belong to
-- no merchant, so they are keyed by the provider's name for the dispute.
CREATE TABLE payments.unmatched_dispute_updates (
    provider            text NOT NULL,
    provider_dispute_id text NOT NULL,
    fingerprint         uuid NOT NULL,
    charge_reference    text,
    stage               text NOT NULL,
    status              text NOT NULL,
    currency            text,
    amount              bigint,
    returned_amount     bigint,
    merchant_currency   text,
    merchant_amount     bigint,
    network             text,
    network_reason_code text,
    reason              text,
    evidence_due_by     timestamptz,
    occurred_at         timestamptz NOT NULL,
    source              text NOT NULL,
    source_reference    text NOT NULL,
    received_at         timestamptz NOT NULL,
    checks              integer NOT NULL,
    next_check_at       timestamptz NOT NULL,
    PRIMARY KEY (provider_dispute_id, provider, fingerprint)
);

CREATE INDEX unmatched_dispute_updates_to_check ON payments.unmatched_dispute_updates (next_check_at);
