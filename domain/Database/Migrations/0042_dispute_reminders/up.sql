-- Which reminders of a deadline were given: one row for each date and number of days, so that a date put off reminds anew.
CREATE TABLE payments.dispute_reminders (
    merchant_id     uuid NOT NULL,
    dispute_id      uuid NOT NULL,
    evidence_due_by timestamptz NOT NULL,
    days            smallint NOT NULL,
    reminded_at     timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, dispute_id, evidence_due_by, days)
);
