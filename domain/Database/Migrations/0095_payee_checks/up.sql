-- The holder's address, which a bank outside the EEA may ask for. The version before leaves it out.
ALTER TABLE payments.bank_accounts ADD COLUMN holder_address jsonb;

-- What the bank answered when it was asked whether the account belongs to its holder. NULL: nobody asked, as for accounts from before.
ALTER TABLE payments.bank_accounts
    ADD COLUMN payee_result text CHECK (payee_result IN ('match', 'close_match', 'no_match', 'not_possible')),
    ADD COLUMN payee_checked_at timestamptz,
    ADD COLUMN payee_suggested_name text,
    -- The platform has seen the answer and accepts the account.
    ADD COLUMN payee_accepted_at timestamptz,
    -- Whether instant payments reach it. NULL: nobody knows, the bank says so when it gets one.
    ADD COLUMN instant_reachable boolean,
    ADD CONSTRAINT bank_accounts_payee_check CHECK ((payee_result IS NULL) = (payee_checked_at IS NULL));

-- Until when the bank may take an instant payout; it was told so with the request. NULL for standard payouts, and for those that the version before began.
ALTER TABLE payments.payouts ADD COLUMN valid_until timestamptz;
