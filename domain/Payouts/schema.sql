-- Payouts: where and when merchants are paid, the nightly runs with their bank files, and what banks report back. Amounts are minor units.

-- Settings ------------------------------------------------------------------------------------------------------------

CREATE TABLE payments.bank_accounts (
    bucket               smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id          uuid        NOT NULL,
    id                   uuid        NOT NULL,
    currency             text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    kind                 text        NOT NULL CHECK (kind IN ('iban', 'us')),
    holder_name          text        NOT NULL,
    holder_address       jsonb,
    iban                 text,
    bic                  text,
    routing_number       text,
    account_number       text,
    account_type         text        CHECK (account_type IN ('checking', 'savings')),
    status               text        NOT NULL CHECK (status IN ('active', 'errored')),
    failure_code         text,
    verified_at          timestamptz,
    usable_from          timestamptz NOT NULL,
    corrects             uuid,
    correction_code      text,
    payee_result         text        CHECK (payee_result IN ('match', 'close_match', 'no_match', 'not_possible')),
    payee_checked_at     timestamptz,
    payee_suggested_name text,
    payee_accepted_at    timestamptz,
    instant_reachable    boolean,
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id, bucket),
    CHECK ((kind = 'iban') = (iban IS NOT NULL)),
    CHECK ((kind = 'us') = (routing_number IS NOT NULL AND account_number IS NOT NULL AND account_type IS NOT NULL)),
    CHECK ((status = 'errored') = (failure_code IS NOT NULL)),
    CHECK ((corrects IS NULL) = (correction_code IS NULL)),
    CONSTRAINT bank_accounts_payee_check CHECK ((payee_result IS NULL) = (payee_checked_at IS NULL))
);

COMMENT ON TABLE payments.bank_accounts IS
    'Where a merchant is paid in one currency. The details never change: a correction is a new row, and payouts keep naming the account they were sent to. '
    'Only whether the account may be used changes.';
COMMENT ON COLUMN payments.bank_accounts.holder_address IS 'A bank outside the EEA may ask for it.';
COMMENT ON COLUMN payments.bank_accounts.usable_from IS 'The end of the cooling period that follows a change, so that a stolen key cannot redirect tonight''s payout.';
COMMENT ON COLUMN payments.bank_accounts.corrects IS 'The account that this row corrects, after the receiving bank sent a NACHA notification of change.';
COMMENT ON COLUMN payments.bank_accounts.correction_code IS 'The code of the notification of change.';
COMMENT ON COLUMN payments.bank_accounts.payee_result IS 'What the bank answered when the platform asked whether the account belongs to its holder. NULL: it was not asked.';
COMMENT ON COLUMN payments.bank_accounts.payee_accepted_at IS 'When an operator accepted the account in spite of the answer.';
COMMENT ON COLUMN payments.bank_accounts.instant_reachable IS
    'Whether instant payments reach the account. NULL: not known until the bank gets an instant payout.';

CREATE TABLE payments.payout_settings (
    bucket               smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id          uuid        NOT NULL,
    mode                 text        NOT NULL GENERATED ALWAYS AS (payments.mode_of(bucket)) STORED,
    currency             text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    interval             text        NOT NULL CHECK (interval IN ('daily', 'weekly', 'monthly', 'manual')),
    weekday              text        CHECK (weekday IN ('monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday')),
    month_day            smallint    CHECK (month_day BETWEEN 1 AND 31),
    next_on              date,
    delay_days           smallint    CHECK (delay_days BETWEEN 0 AND 60),
    minimum              bigint      NOT NULL CHECK (minimum >= 1),
    maximum              bigint      CHECK (maximum >= minimum),
    reserve_basis_points integer     NOT NULL CHECK (reserve_basis_points BETWEEN 0 AND 10000),
    reserve_days         integer     NOT NULL CHECK (reserve_days BETWEEN 0 AND 720),
    reserve_fixed        bigint      NOT NULL CHECK (reserve_fixed >= 0),
    hold_reason          text        CHECK (length(hold_reason) BETWEEN 1 AND 500),
    bank_account_id      uuid,
    batch_id             uuid        NOT NULL DEFAULT gen_random_uuid(),
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, currency, bucket),
    CHECK ((interval = 'weekly') = (weekday IS NOT NULL)),
    CHECK ((interval = 'monthly') = (month_day IS NOT NULL)),
    CHECK ((interval IN ('weekly', 'monthly')) = (next_on IS NOT NULL))
) WITH (
    -- Room for the next batch's id beside the last, so that opening a batch touches no index.
    fillfactor = 50);

COMMENT ON TABLE payments.payout_settings IS 'How a merchant is paid in one currency.';
COMMENT ON COLUMN payments.payout_settings.next_on IS 'The next date of a weekly or monthly schedule. The payout is due from then on, whenever the run comes.';
COMMENT ON COLUMN payments.payout_settings.delay_days IS 'Overrides the merchant''s payout delay, in business days of the currency.';
COMMENT ON COLUMN payments.payout_settings.batch_id IS 'The open batch: released balance transactions go into it, and the next payout takes it.';

CREATE UNIQUE INDEX payout_settings_by_currency ON payments.payout_settings (currency, mode, merchant_id, bucket);
COMMENT ON INDEX payments.payout_settings_by_currency IS 'A run walks the settings of its currency and mode in this order.';

-- Runs ----------------------------------------------------------------------------------------------------------------

CREATE TABLE payments.payout_runs (
    id             uuid        PRIMARY KEY,
    mode           text        NOT NULL CHECK (mode IN ('live', 'test')),
    date           date        NOT NULL,
    currency       text        NOT NULL,
    rail           text        NOT NULL CHECK (rail IN ('sandbox', 'file')),
    status         text        NOT NULL CHECK (status IN ('creating', 'created', 'submitted')),
    execution_date date        NOT NULL,
    considered     bigint      NOT NULL DEFAULT 0,
    payouts        bigint      NOT NULL DEFAULT 0,
    amount         bigint      NOT NULL DEFAULT 0,
    refused        bigint      NOT NULL DEFAULT 0,
    started_by     text        NOT NULL,
    started_at     timestamptz NOT NULL,
    created_at     timestamptz,
    submitted_at   timestamptz,
    UNIQUE (date, currency, mode),
    -- A bank file moves real money.
    CHECK (mode = 'live' OR rail = 'sandbox')
);

COMMENT ON TABLE payments.payout_runs IS 'Platform table. One night of one currency and one mode.';
COMMENT ON COLUMN payments.payout_runs.refused IS 'Merchants whose payout the ledger refused. An operator has to look.';

CREATE INDEX payout_runs_open ON payments.payout_runs (started_at) WHERE status <> 'submitted';

CREATE TABLE payments.payout_run_lanes (
    run_id        uuid    NOT NULL,
    lane          integer NOT NULL,
    cursor        uuid    NOT NULL,
    last_merchant uuid    NOT NULL,
    done          boolean NOT NULL DEFAULT false,
    PRIMARY KEY (run_id, lane)
);

COMMENT ON TABLE payments.payout_run_lanes IS 'Platform table. A run''s merchants in ranges that do not overlap, walked side by side.';
COMMENT ON COLUMN payments.payout_run_lanes.cursor IS
    'The last merchant of the lane that the run looked at. It moves in the transaction that pays the merchants up to it, so an '
    'interrupted run continues behind it.';

CREATE TABLE payments.payouts (
    bucket                smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    merchant_id           uuid        NOT NULL,
    id                    uuid        NOT NULL,
    run_id                uuid,
    entry                 smallint    NOT NULL DEFAULT 0 CHECK (entry >= 0),
    batch_id              uuid        NOT NULL,
    date                  date        NOT NULL,
    status                text        NOT NULL CHECK (status IN ('pending', 'in_transit', 'paid', 'failed', 'returned', 'canceled')),
    currency              text        NOT NULL,
    amount                bigint      NOT NULL CHECK (amount > 0),
    bank_account_id       uuid        NOT NULL,
    rail                  text        NOT NULL CHECK (rail IN ('sandbox', 'file')),
    method                text        NOT NULL CHECK (method IN ('standard', 'instant')),
    trace                 integer     CHECK (trace BETWEEN 1 AND 9999999),
    provider_reference    text,
    failure_code          text,
    failure_message       text,
    hold_code             text,
    hold_message          text,
    arrival_date          date        NOT NULL,
    valid_until           timestamptz,
    submission_started_at timestamptz,
    created_at            timestamptz NOT NULL,
    updated_at            timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id, bucket),
    CHECK ((status IN ('failed', 'returned')) = (failure_code IS NOT NULL)),
    -- A bank file moves real money.
    CHECK (payments.mode_of(bucket) = 'live' OR rail = 'sandbox')
) WITH (fillfactor = 70);

COMMENT ON TABLE payments.payouts IS 'Money on its way to a merchant''s bank account.';
COMMENT ON COLUMN payments.payouts.run_id IS 'NULL: the merchant requested the payout, and no run has included it in its files yet.';
COMMENT ON COLUMN payments.payouts.entry IS
    '0: the payout that the run made for the merchant. From 1: payouts that the merchant requested and that go with the run''s files.';
COMMENT ON COLUMN payments.payouts.batch_id IS 'The balance transactions that the payout is made of.';
COMMENT ON COLUMN payments.payouts.trace IS 'The running number of the entry in a NACHA file. A return may name nothing else.';
COMMENT ON COLUMN payments.payouts.hold_code IS 'Why the bank does not continue with a payout in transit.';
COMMENT ON COLUMN payments.payouts.valid_until IS
    'Until when the bank may take an instant payout, as the request told the bank. NULL for standard payouts.';
COMMENT ON COLUMN payments.payouts.submission_started_at IS 'Set before the bank is called. From then on the payout cannot be canceled.';

CREATE UNIQUE INDEX payouts_of_run ON payments.payouts (run_id, merchant_id, entry, bucket) WHERE run_id IS NOT NULL;
CREATE UNIQUE INDEX payouts_by_batch ON payments.payouts (merchant_id, batch_id, bucket);
CREATE UNIQUE INDEX payouts_by_id ON payments.payouts (id, bucket);
CREATE INDEX payouts_by_trace ON payments.payouts (trace) WHERE trace IS NOT NULL;
CREATE INDEX payouts_open ON payments.payouts (created_at) WHERE status = 'pending' AND rail = 'sandbox';
CREATE INDEX payouts_for_next_run ON payments.payouts (currency) WHERE run_id IS NULL AND rail = 'file' AND status = 'pending';
COMMENT ON INDEX payments.payouts_of_run IS 'A run pays no merchant twice. Each file of a run is a range of merchants in this order.';
COMMENT ON INDEX payments.payouts_by_batch IS 'No batch is paid twice, and a balance transaction finds its payout.';
COMMENT ON INDEX payments.payouts_by_id IS 'Bank files have room for a payout''s id, not for its merchant''s. The id holds the bucket.';
COMMENT ON INDEX payments.payouts_open IS 'The work list of the sweeper.';
COMMENT ON INDEX payments.payouts_for_next_run IS 'The requested payouts that the next run includes in its files.';

CREATE VIEW payments.balance_lines AS
SELECT merchant_id, id, type, source_id, currency, amount, fee, net, available_on, released_at, batch_id, created_at, false AS is_payout
FROM payments.balance_transactions
UNION ALL
SELECT merchant_id, id, 'payout', 'po_' || replace(id::text, '-', ''), currency, -amount, 0::bigint, -amount, date, created_at, batch_id, created_at, true
FROM payments.payouts;

COMMENT ON VIEW payments.balance_lines IS 'The lines of a merchant''s balance. A payout is a line of its own, read from the payout.';

-- Makes the payouts of one chunk of a run and posts their journals. The caller has locked the settings of the merchants. Each payout takes
-- the open batch of its merchant and opens the next one. Returns the status of ledger.post_payouts for each payout. Only posted payouts
-- exist afterwards, and only their batches are closed.
CREATE FUNCTION payments.create_payouts(
    p_run uuid, p_currency text, p_rail text, p_method text, p_date date, p_arrival_date date, p_now timestamptz,
    p_bucket smallint[], p_merchant uuid[], p_id uuid[], p_amount bigint[], p_reserve bigint[], p_bank_account uuid[], p_trace integer[], p_batch uuid[], p_next_batch uuid[])
RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    keys     text[] := ARRAY(SELECT 'payout/po_' || replace(t.id::text, '-', '') || '/created' FROM unnest(p_id) WITH ORDINALITY AS t (id, ord) ORDER BY t.ord);
    statuses text[] := ledger.post_payouts(p_bucket, p_merchant, keys, p_amount, p_reserve, p_currency, p_now);
    made     bigint;
    closed   bigint;
BEGIN
    IF EXISTS (SELECT FROM payments.payout_runs r, unnest(p_bucket) AS b WHERE r.id = p_run AND payments.mode_of(b) <> r.mode) THEN
        RAISE EXCEPTION 'a run was to pay an account of the other mode' USING ERRCODE = 'PO002';
    END IF;

    IF 'account_missing' = ANY (statuses) THEN
        RETURN statuses;
    END IF;

    INSERT INTO payments.payouts
        (bucket, merchant_id, id, run_id, batch_id, date, status, currency, amount, bank_account_id, rail, method, trace, arrival_date,
            created_at, updated_at)
    SELECT payments.bucket_of(t.merchant_id), t.merchant_id, t.id, p_run, t.batch_id, p_date, 'pending', p_currency, t.amount,
        t.bank_account_id, p_rail, p_method, t.trace, p_arrival_date, p_now, p_now
    FROM unnest(p_merchant, p_id, p_amount, p_bank_account, p_trace, p_batch, statuses) AS t (merchant_id, id, amount, bank_account_id, trace, batch_id, status)
    WHERE t.status = 'posted';
    GET DIAGNOSTICS made = ROW_COUNT;

    UPDATE payments.payout_settings s SET batch_id = t.next_batch
    FROM unnest(p_merchant, p_batch, p_next_batch, statuses) AS t (merchant_id, batch_id, next_batch, status)
    WHERE s.merchant_id = t.merchant_id AND s.currency = p_currency AND s.batch_id = t.batch_id AND t.status = 'posted';
    GET DIAGNOSTICS closed = ROW_COUNT;

    -- This cannot happen while callers lock the settings first. Money that is released from now on would go into a batch that is already
    -- paid.
    IF closed <> made THEN
        RAISE EXCEPTION 'a payout was to take a batch that is not open' USING ERRCODE = 'PO001';
    END IF;

    RETURN statuses;
END
$$;

CREATE TABLE payments.payout_traces (
    rail text    PRIMARY KEY,
    last integer NOT NULL
);

COMMENT ON TABLE payments.payout_traces IS 'Platform table. The last NACHA running number that was given out.';

INSERT INTO payments.payout_traces (rail, last) VALUES ('file', 0);

-- Bank files ----------------------------------------------------------------------------------------------------------

CREATE TABLE payments.payout_files (
    id             uuid        PRIMARY KEY,
    run_id         uuid        NOT NULL,
    sequence       integer     NOT NULL CHECK (sequence >= 0),
    format         text        NOT NULL CHECK (format IN ('pain001', 'nacha')),
    first_merchant uuid        NOT NULL,
    last_merchant  uuid        NOT NULL,
    payouts        integer     NOT NULL CHECK (payouts > 0),
    amount         bigint      NOT NULL CHECK (amount > 0),
    execution_date date        NOT NULL,
    created_on     date,
    modifier       smallint    CHECK (modifier BETWEEN 0 AND 35),
    blob_name      text        NOT NULL UNIQUE,
    sha256         bytea       CHECK (length(sha256) = 32),
    bytes          bigint,
    created_at     timestamptz NOT NULL,
    uploaded_at    timestamptz,
    UNIQUE (run_id, sequence),
    CHECK ((uploaded_at IS NULL) = (sha256 IS NULL) AND (uploaded_at IS NULL) = (bytes IS NULL))
);

COMMENT ON TABLE payments.payout_files IS
    'Platform table. One file of a run: the payouts of the merchants from first to last, without the canceled ones. Everything that its '
    'bytes depend on is fixed when the file is planned, so writing it again yields the same file.';
COMMENT ON COLUMN payments.payout_files.modifier IS
    'Distinguishes the NACHA files of one day (A to Z, 0 to 9), over all runs whose files bear that day. NULL in other formats.';

CREATE UNIQUE INDEX payout_files_of_day ON payments.payout_files (created_on, modifier) WHERE modifier IS NOT NULL;

CREATE TABLE payments.bank_reports (
    sha256      bytea       PRIMARY KEY CHECK (length(sha256) = 32),
    name        text        NOT NULL,
    report_id   text        NOT NULL,
    results     integer     NOT NULL,
    applied     integer     NOT NULL,
    unmatched   integer     NOT NULL,
    received_at timestamptz NOT NULL
);

COMMENT ON TABLE payments.bank_reports IS
    'Platform table. The files that banks sent, by the SHA-256 of their bytes. Each is applied once, whatever its name.';

CREATE TABLE payments.unmatched_bank_items (
    id                  uuid        PRIMARY KEY,
    sha256              bytea       NOT NULL CHECK (length(sha256) = 32),
    position            integer     NOT NULL CHECK (position >= 0),
    file_name           text        NOT NULL,
    report_id           text,
    reason              text        NOT NULL CHECK (reason ~ '^[a-z_]+$'),
    reference           text        NOT NULL,
    detail              text        NOT NULL,
    merchant_id         uuid,
    payout_id           uuid,
    payout_file_id      uuid,
    said                text,
    code                text,
    bank_text           text,
    amount              bigint,
    currency            text,
    times               integer     NOT NULL DEFAULT 1,
    created_at          timestamptz NOT NULL,
    acknowledged_at     timestamptz,
    acknowledged_by     text,
    acknowledged_reason text,
    UNIQUE (sha256, position),
    CHECK ((position = 0) = (reason = 'file_rejected')),
    CHECK ((amount IS NULL) = (currency IS NULL)),
    CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL))
);

COMMENT ON TABLE payments.unmatched_bank_items IS
    'Platform table. Items of bank files that could not be applied to a payout, file or account, and bank files that were rejected. A row '
    'stays open until an operator acknowledges '
    'it, or the hold that it reports ends.';
COMMENT ON COLUMN payments.unmatched_bank_items.position IS '0: the file as a whole was rejected. Otherwise the number of the item in its file.';
COMMENT ON COLUMN payments.unmatched_bank_items.said IS 'The result that the bank reported.';

CREATE INDEX unmatched_bank_items_open ON payments.unmatched_bank_items (id) WHERE acknowledged_at IS NULL;
CREATE INDEX unmatched_bank_items_held ON payments.unmatched_bank_items (payout_id) WHERE reason = 'held_by_bank';
CREATE INDEX unmatched_bank_items_held_files ON payments.unmatched_bank_items (payout_file_id) WHERE reason = 'held_by_bank';
