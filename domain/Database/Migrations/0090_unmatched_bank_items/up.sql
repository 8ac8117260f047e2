-- What banks say of payouts, files and accounts of ours that cannot be applied, and files of banks that were rejected. A row stays until a person
-- acknowledges it, or the hold that it tells of ends.
CREATE TABLE payments.unmatched_bank_items (
    id                  uuid PRIMARY KEY,
    sha256              bytea NOT NULL CHECK (length(sha256) = 32),
    -- 0: the file as a whole was rejected. Else the number of the item in its file.
    position            integer NOT NULL CHECK (position >= 0),
    file_name           text NOT NULL,
    report_id           text,
    reason              text NOT NULL CHECK (reason ~ '^[a-z_]+$'),
    reference           text NOT NULL,
    detail              text NOT NULL,
    merchant_id         uuid,
    payout_id           uuid,
    payout_file_id      uuid,
    said                text,
    code                text,
    bank_text           text,
    amount              bigint,
    currency            text,
    times               integer NOT NULL DEFAULT 1,
    created_at          timestamptz NOT NULL,
    acknowledged_at     timestamptz,
    acknowledged_by     text,
    acknowledged_reason text,
    UNIQUE (sha256, position),
    CHECK ((position = 0) = (reason = 'file_rejected')),
    CHECK ((amount IS NULL) = (currency IS NULL)),
    CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL))
);

CREATE INDEX unmatched_bank_items_open ON payments.unmatched_bank_items (id) WHERE acknowledged_at IS NULL;
CREATE INDEX unmatched_bank_items_held ON payments.unmatched_bank_items (payout_id) WHERE reason = 'held_by_bank';
CREATE INDEX unmatched_bank_items_held_files ON payments.unmatched_bank_items (payout_file_id) WHERE reason = 'held_by_bank';

-- Why the bank does not go on with a payout in transit.
ALTER TABLE payments.payouts ADD COLUMN hold_code text, ADD COLUMN hold_message text;
