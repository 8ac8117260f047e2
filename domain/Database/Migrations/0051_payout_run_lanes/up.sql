-- A run's merchants in ranges that do not overlap, walked side by side. A lane's cursor is the last merchant that was looked at in it; it
-- moves in the transaction that pays the merchants before it.
CREATE TABLE payments.payout_run_lanes (
    run_id        uuid NOT NULL,
    lane          integer NOT NULL,
    cursor        uuid NOT NULL,
    last_merchant uuid NOT NULL,
    done          boolean NOT NULL DEFAULT false,
    PRIMARY KEY (run_id, lane)
);

-- The cursor of a run was that of its one lane.
INSERT INTO payments.payout_run_lanes (run_id, lane, cursor, last_merchant, done)
SELECT id, 1, cursor, 'ffffffff-ffff-ffff-ffff-ffffffffffff', status <> 'creating' FROM payments.payout_runs;

ALTER TABLE payments.payout_runs DROP COLUMN cursor;
