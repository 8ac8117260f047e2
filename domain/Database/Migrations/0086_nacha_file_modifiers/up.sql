-- Tells NACHA files of one day apart (A to Z, 0 to 9), over all runs whose files bear that day. NULL in other formats, and in files that were planned
-- before: these number the files of their run alone, and have their entries in the order of merchants.
ALTER TABLE payments.payout_files
    ADD COLUMN modifier smallint CHECK (modifier BETWEEN 0 AND 35),
    ADD COLUMN created_on date;

CREATE UNIQUE INDEX payout_files_of_day ON payments.payout_files (created_on, modifier) WHERE modifier IS NOT NULL;
