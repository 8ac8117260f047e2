-- A young table doubles within minutes when it takes a thousand rows a second, and the defaults of autovacuum, a fifth of the rows, vacuum it every minute for
-- nothing: its rows are in use, and what an update leaves behind is pruned when the page is next written. Beside the charges, that work costs them a tenth.
-- With a floor under the share, a table is left alone until it has so many dead rows (at most some hundred megabytes) or new ones; then the share decides again.
ALTER TABLE payments.charges SET (
    autovacuum_vacuum_threshold = 200000, autovacuum_vacuum_insert_threshold = 1000000, autovacuum_analyze_threshold = 1000, autovacuum_analyze_scale_factor = 1);
ALTER TABLE payments.attempts SET (
    autovacuum_vacuum_threshold = 200000, autovacuum_vacuum_insert_threshold = 1000000, autovacuum_analyze_threshold = 1000, autovacuum_analyze_scale_factor = 1);
ALTER TABLE payments.refunds SET (
    autovacuum_vacuum_threshold = 200000, autovacuum_vacuum_insert_threshold = 1000000, autovacuum_analyze_threshold = 1000, autovacuum_analyze_scale_factor = 1);
ALTER TABLE payments.balance_transactions SET (
    autovacuum_vacuum_threshold = 200000, autovacuum_vacuum_insert_threshold = 1000000, autovacuum_analyze_threshold = 1000, autovacuum_analyze_scale_factor = 0.5);
ALTER TABLE payments.events SET (
    autovacuum_vacuum_insert_threshold = 1000000, autovacuum_analyze_threshold = 1000, autovacuum_analyze_scale_factor = 0.5);
ALTER TABLE ledger.transfers SET (
    autovacuum_vacuum_insert_threshold = 1000000, autovacuum_analyze_threshold = 1000, autovacuum_analyze_scale_factor = 0.5);

-- Each row is completed once, within its page, and deleted a day later: two dead rows for each that lives a day. Vacuum is for those that were deleted.
ALTER TABLE payments.idempotency_keys SET (
    autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_scale_factor = 1.5, autovacuum_vacuum_insert_threshold = -1,
    autovacuum_analyze_threshold = 1000, autovacuum_analyze_scale_factor = 1);
