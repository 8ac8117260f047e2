-- Where a merchant is paid in one currency. The details never change: a correction is a new row, and payouts keep naming the
-- account they were sent to. Only whether it may be used changes.
CREATE TABLE payments.bank_accounts (
    merchant_id    uuid NOT NULL,
    id             uuid NOT NULL,
    currency       text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    kind           text NOT NULL CHECK (kind IN ('iban', 'us')),
    holder_name    text NOT NULL,
    iban           text,
    bic            text,
    routing_number text,
    account_number text,
    account_type   text CHECK (account_type IN ('checking', 'savings')),
    status         text NOT NULL CHECK (status IN ('active', 'errored')),
    failure_code   text,
    verified_at    timestamptz,
    -- The end of the cooling period that follows a change, so that a stolen key cannot redirect tonight's payout.
    usable_from    timestamptz NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    CHECK ((kind = 'iban') = (iban IS NOT NULL)),
    CHECK ((kind = 'us') = (routing_number IS NOT NULL AND account_number IS NOT NULL AND account_type IS NOT NULL)),
    CHECK ((status = 'errored') = (failure_code IS NOT NULL))
);

-- How a merchant is paid in one currency. Amounts are minor units.
CREATE TABLE payments.payout_settings (
    merchant_id          uuid NOT NULL,
    currency             text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    interval             text NOT NULL CHECK (interval IN ('daily', 'weekly', 'monthly', 'manual')),
    weekday              text CHECK (weekday IN ('monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday')),
    month_day            smallint CHECK (month_day BETWEEN 1 AND 31),
    -- The next date of a weekly or monthly schedule: due from then on, whenever the run comes.
    next_on              date,
    -- Overrides the merchant's delay, in business days of the currency.
    delay_days           smallint CHECK (delay_days BETWEEN 0 AND 60),
    minimum              bigint NOT NULL CHECK (minimum >= 1),
    maximum              bigint CHECK (maximum >= minimum),
    reserve_basis_points integer NOT NULL CHECK (reserve_basis_points BETWEEN 0 AND 10000),
    reserve_days         integer NOT NULL CHECK (reserve_days BETWEEN 0 AND 720),
    reserve_fixed        bigint NOT NULL CHECK (reserve_fixed >= 0),
    hold_reason          text CHECK (length(hold_reason) BETWEEN 1 AND 500),
    bank_account_id      uuid,
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, currency),
    CHECK ((interval = 'weekly') = (weekday IS NOT NULL)),
    CHECK ((interval = 'monthly') = (month_day IS NOT NULL)),
    CHECK ((interval IN ('weekly', 'monthly')) = (next_on IS NOT NULL))
);

-- A run walks the settings of its currency in this order.
CREATE UNIQUE INDEX payout_settings_by_currency ON payments.payout_settings (currency, merchant_id);

-- One night of one currency. cursor is the last merchant that was looked at: it moves in the transaction that pays the
-- merchants before it, so a run that was cut off, or is started again, goes on where it stood.
CREATE TABLE payments.payout_runs (
    id             uuid PRIMARY KEY,
    date           date NOT NULL,
    currency       text NOT NULL,
    rail           text NOT NULL CHECK (rail IN ('sandbox', 'file')),
    status         text NOT NULL CHECK (status IN ('creating', 'created', 'submitted')),
    cursor         uuid NOT NULL,
    execution_date date NOT NULL,
    considered     bigint NOT NULL DEFAULT 0,
    payouts        bigint NOT NULL DEFAULT 0,
    amount         bigint NOT NULL DEFAULT 0,
    -- Merchants whose payout the ledger refused: somebody has to look.
    refused        bigint NOT NULL DEFAULT 0,
    started_by     text NOT NULL,
    started_at     timestamptz NOT NULL,
    created_at     timestamptz,
    submitted_at   timestamptz,
    UNIQUE (date, currency)
);

CREATE INDEX payout_runs_open ON payments.payout_runs (started_at) WHERE status <> 'submitted';

CREATE TABLE payments.payouts (
    merchant_id           uuid NOT NULL,
    id                    uuid NOT NULL,
    -- NULL: asked for by the merchant.
    run_id                uuid,
    status                text NOT NULL CHECK (status IN ('pending', 'in_transit', 'paid', 'failed', 'returned', 'canceled')),
    currency              text NOT NULL,
    amount                bigint NOT NULL CHECK (amount > 0),
    bank_account_id       uuid NOT NULL,
    rail                  text NOT NULL CHECK (rail IN ('sandbox', 'file')),
    method                text NOT NULL CHECK (method IN ('standard', 'instant')),
    -- The running number of the entry in a NACHA file, which is all that a return may name.
    trace                 integer CHECK (trace BETWEEN 1 AND 9999999),
    provider_reference    text,
    failure_code          text,
    failure_message       text,
    arrival_date          date NOT NULL,
    -- Set before the bank is called: from then on the payout cannot be canceled.
    submission_started_at timestamptz,
    created_at            timestamptz NOT NULL,
    updated_at            timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    CHECK ((status IN ('failed', 'returned')) = (failure_code IS NOT NULL))
) WITH (fillfactor = 70);

-- No merchant twice in a run; and the order in which a run's files are written.
CREATE UNIQUE INDEX payouts_of_run ON payments.payouts (run_id, merchant_id) WHERE run_id IS NOT NULL;
-- Bank files have room for a payout's id, not for its merchant's.
CREATE UNIQUE INDEX payouts_by_id ON payments.payouts (id);
CREATE INDEX payouts_by_trace ON payments.payouts (trace) WHERE trace IS NOT NULL;
-- The sweeper's work list.
CREATE INDEX payouts_open ON payments.payouts (created_at) WHERE status = 'pending' AND rail = 'sandbox';

-- What a payout is made of.
CREATE INDEX balance_transactions_by_payout ON payments.balance_transactions (merchant_id, payout_id, id) WHERE payout_id IS NOT NULL;

-- One file of a run: the payouts of the merchants from first to last, in their order, without the canceled ones. All that its bytes
-- depend on is fixed when it is planned, so writing it again yields the same file.
CREATE TABLE payments.payout_files (
    id             uuid PRIMARY KEY,
    run_id         uuid NOT NULL,
    sequence       integer NOT NULL CHECK (sequence >= 0),
    format         text NOT NULL CHECK (format IN ('pain001', 'nacha')),
    first_merchant uuid NOT NULL,
    last_merchant  uuid NOT NULL,
    payouts        integer NOT NULL CHECK (payouts > 0),
    amount         bigint NOT NULL CHECK (amount > 0),
    execution_date date NOT NULL,
    blob_name      text NOT NULL UNIQUE,
    sha256         bytea CHECK (length(sha256) = 32),
    bytes          bigint,
    created_at     timestamptz NOT NULL,
    uploaded_at    timestamptz,
    UNIQUE (run_id, sequence),
    CHECK ((uploaded_at IS NULL) = (sha256 IS NULL) AND (uploaded_at IS NULL) = (bytes IS NULL))
);

-- Files that came from banks, each applied once whatever its name.
CREATE TABLE payments.bank_reports (
    sha256      bytea PRIMARY KEY CHECK (length(sha256) = 32),
    name        text NOT NULL,
    report_id   text NOT NULL,
    results     integer NOT NULL,
    applied     integer NOT NULL,
    unmatched   integer NOT NULL,
    received_at timestamptz NOT NULL
);

-- The last NACHA running number that was given out.
CREATE TABLE payments.payout_traces (
    rail text PRIMARY KEY,
    last integer NOT NULL
);

INSERT INTO payments.payout_traces (rail, last) VALUES ('file', 0);

-- Who changed what about payouts, and when.
CREATE TABLE payments.payout_audit (
    merchant_id uuid NOT NULL,
    id          uuid NOT NULL,
    actor       text NOT NULL,
    action      text NOT NULL,
    object_id   text NOT NULL,
    detail      jsonb NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id)
);
