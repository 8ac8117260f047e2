-- What is being given back counts against the limits from the moment it is asked for, as what is being captured does. It
-- is not in the CHECK of the sum: a customer may pass 3-D Secure, and be charged, while the payment is being canceled.
ALTER TABLE payments.charges ADD COLUMN canceling_amount bigint NOT NULL DEFAULT 0 CHECK (canceling_amount >= 0);

-- released_amount: what a final capture gives back. is_expiry: a cancel because the authorization has lapsed.
ALTER TABLE payments.attempts
    ADD COLUMN released_amount bigint NOT NULL DEFAULT 0 CHECK (released_amount >= 0),
    ADD COLUMN is_expiry boolean NOT NULL DEFAULT false;

ALTER TABLE payments.refunds ADD CONSTRAINT refunds_reason CHECK (reason IN ('requested_by_customer', 'duplicate', 'fraudulent'));
