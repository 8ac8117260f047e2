-- What a payout is made of is collected before it is made. Releasing a merchant's money writes its rows anyway, and puts them into the open batch of merchant
-- and currency; a payout takes the batch as it stands and opens the next. So making a payout writes none of the rows that it is made of, however many.
-- Rows that are released from the start (refunds, disputes, payouts that came back) are in no batch until the next payout collects them.
-- payout_id of a balance transaction is its batch's id from now on. It keeps its name, because the version before writes it too: its payouts are batches by
-- themselves, under their own id.
ALTER TABLE payments.payout_settings ADD COLUMN batch_id uuid NOT NULL DEFAULT gen_random_uuid();
-- Room for the next batch's id beside the last, so that opening it touches no index.
ALTER TABLE payments.payout_settings SET (fillfactor = 50);

-- Always so before, too; not looked at here, because every charge would wait meanwhile.
ALTER TABLE payments.balance_transactions ADD CONSTRAINT balance_transactions_batch_is_of_released CHECK (payout_id IS NULL OR released_at IS NOT NULL) NOT VALID;

ALTER TABLE payments.payouts ADD COLUMN batch_id uuid, ADD COLUMN date date;
UPDATE payments.payouts SET batch_id = id, date = (created_at AT TIME ZONE 'UTC')::date;
ALTER TABLE payments.payouts ALTER COLUMN batch_id SET NOT NULL, ALTER COLUMN date SET NOT NULL;
-- No batch is paid twice, and a line finds its payout.
CREATE UNIQUE INDEX payouts_by_batch ON payments.payouts (merchant_id, batch_id);

-- A merchant's lines: a payout is a line of its own, read from the payout. Those made before have a row for it and do not count twice; who reads asks for what
-- is counted, since with a condition in here the lists would be sorted, not read in the order of the keys.
CREATE VIEW payments.balance_lines AS
SELECT merchant_id, id, type, source_id, currency, amount, fee, net, available_on, released_at, payout_id AS batch_id, created_at, false AS is_payout, true AS counted
FROM payments.balance_transactions
UNION ALL
SELECT merchant_id, id, 'payout', 'po_' || replace(id::text, '-', ''), currency, -amount, 0::bigint, -amount, date, created_at, batch_id, created_at, true, batch_id <> id
FROM payments.payouts;

-- Makes the payouts of a chunk of a run and moves the ledger with them. Each takes the open batch of its merchant, whose settings the caller has locked, and opens the next.
-- Answers each as ledger.post_payouts does; only those posted exist afterwards, and only their batches are closed.
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
    IF 'account_missing' = ANY (statuses) THEN
        RETURN statuses;
    END IF;

    INSERT INTO payments.payouts
        (merchant_id, id, run_id, batch_id, date, status, currency, amount, bank_account_id, rail, method, trace, arrival_date, created_at, updated_at)
    SELECT t.merchant_id, t.id, p_run, t.batch_id, p_date, 'pending', p_currency, t.amount, t.bank_account_id, p_rail, p_method, t.trace, p_arrival_date, p_now, p_now
    FROM unnest(p_merchant, p_id, p_amount, p_bank_account, p_trace, p_batch, statuses) AS t (merchant_id, id, amount, bank_account_id, trace, batch_id, status)
    WHERE t.status = 'posted';
    GET DIAGNOSTICS made = ROW_COUNT;

    UPDATE payments.payout_settings s SET batch_id = t.next_batch
    FROM unnest(p_merchant, p_batch, p_next_batch, statuses) AS t (merchant_id, batch_id, next_batch, status)
    WHERE s.merchant_id = t.merchant_id AND s.currency = p_currency AND s.batch_id = t.batch_id AND t.status = 'posted';
    GET DIAGNOSTICS closed = ROW_COUNT;

    -- Never while callers lock the settings first: what is released from now on would have gone into a batch that is paid.
    IF closed <> made THEN
        RAISE EXCEPTION 'a payout was to take a batch that is not open' USING ERRCODE = 'PO001';
    END IF;

    RETURN statuses;
END
$$;

-- What the version before calls, for as long as it runs: its payouts have a row of their own and are their own batch. To be dropped in a later release.
CREATE OR REPLACE FUNCTION payments.create_payouts(
    p_run uuid, p_currency text, p_rail text, p_method text, p_date date, p_arrival_date date, p_now timestamptz,
    p_bucket smallint[], p_merchant uuid[], p_id uuid[], p_amount bigint[], p_reserve bigint[], p_bank_account uuid[], p_trace integer[], p_line uuid[])
RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    names    text[] := ARRAY(SELECT 'po_' || replace(t.id::text, '-', '') FROM unnest(p_id) WITH ORDINALITY AS t (id, ord) ORDER BY t.ord);
    keys     text[] := ARRAY(SELECT 'payout/' || t.name || '/created' FROM unnest(names) WITH ORDINALITY AS t (name, ord) ORDER BY t.ord);
    statuses text[] := ledger.post_payouts(p_bucket, p_merchant, keys, p_amount, p_reserve, p_currency, p_now);
BEGIN
    IF 'account_missing' = ANY (statuses) THEN
        RETURN statuses;
    END IF;

    INSERT INTO payments.payouts
        (merchant_id, id, run_id, batch_id, date, status, currency, amount, bank_account_id, rail, method, trace, arrival_date, created_at, updated_at)
    SELECT t.merchant_id, t.id, p_run, t.id, p_date, 'pending', p_currency, t.amount, t.bank_account_id, p_rail, p_method, t.trace, p_arrival_date, p_now, p_now
    FROM unnest(p_merchant, p_id, p_amount, p_bank_account, p_trace, statuses) AS t (merchant_id, id, amount, bank_account_id, trace, status)
    WHERE t.status = 'posted';

    INSERT INTO payments.balance_transactions
        (merchant_id, id, type, source_id, journal_key, currency, amount, fee, net, available_on, released_at, payout_id, created_at)
    SELECT t.merchant_id, t.line, 'payout', t.name, t.key, p_currency, -t.amount, 0, -t.amount, p_date, p_now, t.id, p_now
    FROM unnest(p_merchant, p_line, p_id, names, keys, p_amount, statuses) AS t (merchant_id, line, id, name, key, amount, status)
    WHERE t.status = 'posted';

    RETURN statuses;
END
$$;
