-- Disputes: their updates, the files that the updates came in, and the answers to disputes. Amounts are minor units.

CREATE TABLE payments.disputes (
    bucket                    smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id               uuid        NOT NULL,
    id                        uuid        NOT NULL,
    charge_id                 uuid        NOT NULL,
    provider                  text        NOT NULL,
    provider_dispute_id       text        NOT NULL,
    stage                     text        NOT NULL CHECK (stage IN ('early_warning', 'inquiry', 'chargeback', 'pre_arbitration', 'arbitration')),
    status                    text        NOT NULL CHECK (status IN (
        'warning_needs_response', 'warning_under_review', 'warning_closed', 'prevented', 'needs_response', 'expired', 'under_review', 'accepted', 'won', 'lost')),
    currency                  text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    amount                    bigint      NOT NULL CHECK (amount > 0),
    returned_amount           bigint      CHECK (returned_amount >= 0 AND returned_amount < amount),
    merchant_currency         text        CHECK (merchant_currency ~ '^[A-Z]{3}$'),
    merchant_amount           bigint      CHECK (merchant_amount > 0),
    network                   text,
    network_reason_code       text,
    reason                    text        NOT NULL,
    evidence_due_by           timestamptz,
    evidence_due_by_default   boolean     NOT NULL,
    opened_at                 timestamptz NOT NULL,
    changed_at                timestamptz NOT NULL,
    charge_currency           text        NOT NULL CHECK (charge_currency ~ '^[A-Z]{3}$'),
    charge_amount             bigint      NOT NULL CHECK (charge_amount > 0),
    fee_chargeback            bigint      NOT NULL CHECK (fee_chargeback >= 0),
    fee_pre_arbitration       bigint      NOT NULL CHECK (fee_pre_arbitration >= 0),
    fee_arbitration           bigint      NOT NULL CHECK (fee_arbitration >= 0),
    fee_refunded_when_won     boolean     NOT NULL,
    posted_disputed           bigint      NOT NULL CHECK (posted_disputed >= 0),
    posted_taken              bigint      NOT NULL CHECK (posted_taken >= 0),
    posted_taken_at_processor bigint      NOT NULL CHECK (posted_taken_at_processor >= 0),
    posted_fee                bigint      NOT NULL CHECK (posted_fee >= 0),
    journals                  integer     NOT NULL CHECK (journals >= 0),
    version                   integer     NOT NULL CHECK (version > 0),
    created_at                timestamptz NOT NULL,
    updated_at                timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id, bucket),
    CHECK ((merchant_currency IS NULL) = (merchant_amount IS NULL))
) WITH (fillfactor = 80);

COMMENT ON TABLE payments.disputes IS
    'A dispute is the set of its updates. This row holds what they say together and what the ledger has posted for the dispute; both change in one transaction.';
COMMENT ON COLUMN payments.disputes.amount IS 'In the currency of the dispute, as returned_amount is. What the merchant bears and pays is in the currency of the charge.';
COMMENT ON COLUMN payments.disputes.evidence_due_by_default IS 'The provider named no deadline; the platform computed this one.';
COMMENT ON COLUMN payments.disputes.posted_taken IS 'What the ledger has taken from the merchant for the dispute so far. A new journal posts the difference.';
COMMENT ON COLUMN payments.disputes.journals IS 'How many journals were posted for the dispute. The number is part of the next journal''s external key.';

CREATE UNIQUE INDEX disputes_once ON payments.disputes (merchant_id, provider, provider_dispute_id, bucket);
CREATE INDEX disputes_by_provider_id ON payments.disputes (provider_dispute_id, provider);
CREATE INDEX disputes_by_charge ON payments.disputes (merchant_id, charge_id);
CREATE INDEX disputes_awaiting_response ON payments.disputes (evidence_due_by) WHERE status IN ('needs_response', 'warning_needs_response');
CREATE INDEX disputes_of_merchant_by_due_date ON payments.disputes (merchant_id, (coalesce(evidence_due_by, 'infinity')), id);
CREATE INDEX disputes_open_warnings ON payments.disputes (created_at) WHERE stage = 'early_warning' AND status = 'warning_needs_response';
COMMENT ON INDEX payments.disputes_awaiting_response IS 'The work list of deadlines and reminders.';
COMMENT ON INDEX payments.disputes_open_warnings IS 'The work list of the rule that refunds early warnings.';

CREATE TABLE payments.dispute_updates (
    bucket              smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id         uuid        NOT NULL,
    dispute_id          uuid        NOT NULL,
    fingerprint         uuid        NOT NULL,
    charge_reference    text,
    stage               text        NOT NULL,
    status              text        NOT NULL,
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
    source              text        NOT NULL CHECK (source IN ('webhook', 'file', 'import', 'merchant', 'clock', 'rule')),
    source_reference    text        NOT NULL,
    received_at         timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, dispute_id, fingerprint, bucket)
);

COMMENT ON TABLE payments.dispute_updates IS 'Every update of a dispute, with its source.';
COMMENT ON COLUMN payments.dispute_updates.fingerprint IS 'Covers the content of the update, so a repeated update is one row.';

CREATE TABLE payments.unmatched_dispute_updates (
    provider            text        NOT NULL,
    provider_dispute_id text        NOT NULL,
    fingerprint         uuid        NOT NULL,
    charge_reference    text,
    stage               text        NOT NULL,
    status              text        NOT NULL,
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
    source              text        NOT NULL,
    source_reference    text        NOT NULL,
    received_at         timestamptz NOT NULL,
    checks              integer     NOT NULL,
    next_check_at       timestamptz NOT NULL,
    PRIMARY KEY (provider_dispute_id, provider, fingerprint)
);

COMMENT ON TABLE payments.unmatched_dispute_updates IS
    'Platform table. Updates whose charge is not known yet. A timer looks for the charge with growing pauses and never drops a row. The '
    'rows belong to no merchant.';

CREATE INDEX unmatched_dispute_updates_to_check ON payments.unmatched_dispute_updates (next_check_at);

CREATE TABLE payments.dispute_reminders (
    bucket          smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id     uuid        NOT NULL,
    dispute_id      uuid        NOT NULL,
    evidence_due_by timestamptz NOT NULL,
    days            smallint    NOT NULL,
    reminded_at     timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, dispute_id, evidence_due_by, days, bucket)
);

COMMENT ON TABLE payments.dispute_reminders IS
    'The reminders of a deadline that were given: one row for each date and number of days, so that a postponed deadline reminds anew.';

-- Files ---------------------------------------------------------------------------------------------------------------

CREATE TABLE payments.dispute_files (
    partner     text        NOT NULL,
    hash        bytea       NOT NULL CHECK (length(hash) = 32),
    name        text        NOT NULL,
    status      text        NOT NULL CHECK (status IN ('processing', 'completed', 'rejected')),
    lines_done  bigint      NOT NULL CHECK (lines_done >= 0),
    applied     bigint      NOT NULL,
    duplicate   bigint      NOT NULL,
    unmatched   bigint      NOT NULL,
    rejected    bigint      NOT NULL,
    arrivals    integer     NOT NULL CHECK (arrivals > 0),
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (partner, hash),
    CHECK ((finished_at IS NULL) = (status = 'processing'))
);

COMMENT ON TABLE payments.dispute_files IS
    'Platform table. The files that partners sent, by the SHA-256 of their bytes. A file that comes again is known by its hash.';
COMMENT ON COLUMN payments.dispute_files.lines_done IS
    'Moves in the transaction of the lines that it counts, so a run that was cut off continues behind the last applied line.';
COMMENT ON COLUMN payments.dispute_files.arrivals IS 'How often the same bytes arrived.';

CREATE INDEX dispute_files_by_time ON payments.dispute_files (started_at);

CREATE TABLE payments.dispute_file_rejects (
    partner text   NOT NULL,
    hash    bytea  NOT NULL,
    line    bigint NOT NULL,
    reason  text   NOT NULL,
    detail  text,
    content text,
    PRIMARY KEY (partner, hash, line),
    FOREIGN KEY (partner, hash) REFERENCES payments.dispute_files (partner, hash)
);

COMMENT ON TABLE payments.dispute_file_rejects IS
    'Platform table. Lines that were not applied. They are written to the partner''s rejects once the file is done. Digits that may be '
    'card numbers are masked.';

-- Evidence and answers ------------------------------------------------------------------------------------------------

CREATE TABLE payments.dispute_evidence (
    bucket      smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id uuid        NOT NULL,
    dispute_id  uuid        NOT NULL,
    text        text,
    fields      jsonb       NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, dispute_id, bucket)
);

COMMENT ON TABLE payments.dispute_evidence IS 'The merchant''s evidence, kept as a draft until it is submitted.';

CREATE TABLE payments.dispute_evidence_files (
    bucket       smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id  uuid        NOT NULL,
    dispute_id   uuid        NOT NULL,
    hash         bytea       NOT NULL CHECK (length(hash) = 32),
    purpose      text        NOT NULL,
    name         text        NOT NULL,
    content_type text        NOT NULL,
    size         integer     NOT NULL CHECK (size > 0),
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, dispute_id, hash, bucket)
);

COMMENT ON TABLE payments.dispute_evidence_files IS 'The files of the evidence. Their bytes are in blob storage under their SHA-256.';
COMMENT ON COLUMN payments.dispute_evidence_files.size IS 'Bytes.';

CREATE TABLE payments.dispute_responses (
    bucket          smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id     uuid        NOT NULL,
    id              uuid        NOT NULL,
    dispute_id      uuid        NOT NULL,
    stage           text        NOT NULL,
    kind            text        NOT NULL CHECK (kind IN ('submit', 'accept')),
    status          text        NOT NULL CHECK (status IN ('started', 'unknown', 'done', 'refused')),
    evidence        jsonb       NOT NULL,
    detail          text,
    idempotency_key text        NOT NULL,
    checks          integer     NOT NULL,
    next_check_at   timestamptz,
    created_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    PRIMARY KEY (merchant_id, id, bucket),
    CHECK ((status IN ('started', 'unknown')) = (next_check_at IS NOT NULL)),
    CHECK ((status IN ('done', 'refused')) = (finished_at IS NOT NULL))
);

COMMENT ON TABLE payments.dispute_responses IS 'Answers to the provider: recorded before the answer is sent, and ended once the outcome is known.';
COMMENT ON COLUMN payments.dispute_responses.evidence IS 'The evidence as it was sent.';

CREATE UNIQUE INDEX dispute_responses_open ON payments.dispute_responses (merchant_id, dispute_id, bucket) WHERE status IN ('started',
    'unknown');
CREATE INDEX dispute_responses_by_dispute ON payments.dispute_responses (merchant_id, dispute_id, id);
CREATE INDEX dispute_responses_to_check ON payments.dispute_responses (next_check_at) WHERE next_check_at IS NOT NULL;
COMMENT ON INDEX payments.dispute_responses_open IS 'One open answer at a time for a dispute.';

-- Early warnings ------------------------------------------------------------------------------------------------------

CREATE TABLE payments.dispute_settings (
    bucket                smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id           uuid        NOT NULL,
    currency              text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    refund_warnings_up_to bigint      CHECK (refund_warnings_up_to > 0),
    changed_at            timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, currency, bucket)
);

COMMENT ON TABLE payments.dispute_settings IS
    'A merchant''s rule: early warnings up to an amount are refunded before they become chargebacks. It holds for warnings that arrive after it.';
COMMENT ON COLUMN payments.dispute_settings.refund_warnings_up_to IS 'Minor units. NULL refunds nothing.';

CREATE TABLE payments.dispute_refunds (
    bucket        smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id   uuid        NOT NULL,
    dispute_id    uuid        NOT NULL,
    refund_id     uuid        NOT NULL,
    status        text        NOT NULL CHECK (status IN ('started', 'refunded', 'refused', 'failed')),
    attempts      integer     NOT NULL CHECK (attempts > 0),
    detail        text,
    next_check_at timestamptz,
    created_at    timestamptz NOT NULL,
    finished_at   timestamptz,
    PRIMARY KEY (merchant_id, dispute_id, bucket),
    CHECK ((status = 'started') = (next_check_at IS NOT NULL)),
    CHECK ((status = 'started') = (finished_at IS NULL))
);

COMMENT ON TABLE payments.dispute_refunds IS 'The refunds that the rule makes, one at a time for a dispute.';
COMMENT ON COLUMN payments.dispute_refunds.refund_id IS 'Chosen here before the refund is recorded, so that the refund is found again after a crash in between.';

CREATE INDEX dispute_refunds_to_check ON payments.dispute_refunds (next_check_at) WHERE next_check_at IS NOT NULL;
