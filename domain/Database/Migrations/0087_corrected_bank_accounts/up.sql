-- The receiving bank may correct an account (a NACHA notification of change). The correction is a row of its own that names the one before it and the
-- code of the notification.
ALTER TABLE payments.bank_accounts
    ADD COLUMN corrects uuid,
    ADD COLUMN correction_code text,
    ADD CHECK ((corrects IS NULL) = (correction_code IS NULL));
