-- A payout that was asked for, in a currency that goes to the bank by file, waits for the next run and goes with its files. In a run, 0 is the
-- payout that the run itself made for a merchant; those asked for follow from 1.
ALTER TABLE payments.payouts ADD COLUMN entry smallint NOT NULL DEFAULT 0 CHECK (entry >= 0);

-- Still no merchant twice by the run itself, and still the order in which its files are written.
DROP INDEX payments.payouts_of_run;
CREATE UNIQUE INDEX payouts_of_run ON payments.payouts (run_id, merchant_id, entry) WHERE run_id IS NOT NULL;

-- What the next run takes along.
CREATE INDEX payouts_for_next_run ON payments.payouts (currency) WHERE run_id IS NULL AND rail = 'file' AND status = 'pending';
