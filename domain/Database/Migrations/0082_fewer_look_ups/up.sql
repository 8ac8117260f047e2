-- Each entry that a charge writes into an index costs it some microseconds; these were two for one purpose.

-- A line's source follows from its journal's key, so the index that finds a source's lines can also refuse the second line of a journal.
CREATE UNIQUE INDEX balance_transactions_by_journal ON payments.balance_transactions (merchant_id, source_id, journal_key);
DROP INDEX payments.balance_transactions_once;
DROP INDEX payments.balance_transactions_by_source;
ALTER INDEX payments.balance_transactions_by_journal RENAME TO balance_transactions_by_source;

-- A line is collected once it is released, and until then it need not stand in the list.
CREATE INDEX balance_transactions_released ON payments.balance_transactions (merchant_id, currency, id) WHERE payout_id IS NULL AND released_at IS NOT NULL;
DROP INDEX payments.balance_transactions_to_pay;

-- Plans here are look-ups by keys, whatever the tables hold: a young table need not be sampled at each doubling.
ALTER TABLE payments.charges SET (autovacuum_analyze_threshold = 10000, autovacuum_analyze_scale_factor = 4);
ALTER TABLE payments.attempts SET (autovacuum_analyze_threshold = 10000, autovacuum_analyze_scale_factor = 4);
ALTER TABLE payments.balance_transactions SET (autovacuum_analyze_threshold = 10000, autovacuum_analyze_scale_factor = 4);
ALTER TABLE payments.events SET (autovacuum_analyze_threshold = 10000, autovacuum_analyze_scale_factor = 4);
ALTER TABLE payments.idempotency_keys SET (autovacuum_analyze_threshold = 10000, autovacuum_analyze_scale_factor = 4);
ALTER TABLE ledger.transfers SET (autovacuum_analyze_threshold = 10000, autovacuum_analyze_scale_factor = 4);

-- Ends a statement that was to change all of its rows and found some of them changed by others.
CREATE FUNCTION payments.all_rows(p_changed bigint, p_expected integer) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_changed <> p_expected THEN
        RAISE EXCEPTION '% of % rows are as they were', p_changed, p_expected USING ERRCODE = 'CH001';
    END IF;
END
$$;

-- A caller who holds what only one can change, and has found it unchanged, knows that none of its journals was posted before (p_all_new): then they need not be looked for. Were one there all the same,
-- the unique index would refuse the call. Whoever calls with the parameters of before means what they meant.
DROP FUNCTION ledger.post(integer[], integer[], integer[], integer[], bigint[], text[], boolean[], smallint[], text[], text[], uuid[], timestamptz[], timestamptz);
CREATE FUNCTION ledger.post(
    p_accounts integer[],
    p_journal integer[], p_debit integer[], p_credit integer[], p_amount bigint[], p_code text[], p_past_limit boolean[], p_bucket smallint[],
    p_external_key text[], p_kind text[], p_merchant uuid[], p_effective_at timestamptz[],
    p_now timestamptz, p_all_new boolean DEFAULT false,
    OUT statuses text[], OUT journal_ids bigint[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Plans are kept for the life of a connection: one made while the tables were small must not read them from end to end later.
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    n            CONSTANT integer := coalesce(cardinality(p_journal), 0);
    -- Sealing relies on a transaction having its id before it takes one from a sequence.
    xact         CONSTANT xid8 := pg_current_xact_id();
    v_ids        integer[];
    v_balance    bigint[];
    v_version    bigint[];
    v_before     bigint[];
    v_min        bigint[];
    v_sign       smallint[];
    v_bucket     smallint[];
    v_closed     boolean[];
    v_currency   text[];
    v_recorded   timestamptz;
    -- By a line's position: what is inserted beside the input. No id: the line is not inserted.
    v_id         bigint[];
    v_line       smallint[];
    v_debit_ver  bigint[];
    v_debit_bal  bigint[];
    v_credit_ver bigint[];
    v_credit_bal bigint[];
    v_any        boolean := false;
    journal      integer := 0;
    first_line   integer;
    id           bigint;
    d            integer;
    c            integer;
    a            bigint;
    debit_after  bigint;
    credit_after bigint;
    refusal      text;
    done         record;
BEGIN
    IF n = 0 THEN
        statuses := '{}';
        journal_ids := '{}';
        RETURN;
    END IF;

    SELECT array_agg(b.account_id), array_agg(b.balance), array_agg(b.version), array_agg(b.version), array_agg(b.min_balance), array_agg(b.sign),
           array_agg(b.bucket), array_agg(b.closed), array_agg(b.currency), greatest(p_now, max(b.recorded_at))
    INTO v_ids, v_balance, v_version, v_before, v_min, v_sign, v_bucket, v_closed, v_currency, v_recorded
    FROM (
        SELECT * FROM ledger.balances WHERE account_id = ANY (p_accounts) ORDER BY account_id FOR UPDATE
    ) AS b;

    -- Positions must mean the same in both; an id that has no account leaves a hole here.
    IF v_ids IS DISTINCT FROM p_accounts THEN
        SELECT array_agg(b.account_id ORDER BY a.ord), array_agg(b.balance ORDER BY a.ord), array_agg(b.version ORDER BY a.ord),
               array_agg(b.version ORDER BY a.ord), array_agg(b.min_balance ORDER BY a.ord), array_agg(b.sign ORDER BY a.ord),
               array_agg(b.bucket ORDER BY a.ord), array_agg(b.closed ORDER BY a.ord), array_agg(b.currency ORDER BY a.ord)
        INTO v_ids, v_balance, v_version, v_before, v_min, v_sign, v_bucket, v_closed, v_currency
        FROM unnest(p_accounts) WITH ORDINALITY AS a (account_id, ord)
        LEFT JOIN ledger.balances b USING (account_id);
        IF (SELECT count(DISTINCT x) <> count(x) FROM unnest(p_accounts) x) THEN
            RAISE EXCEPTION 'an account is listed twice' USING ERRCODE = 'LG002';
        END IF;
    END IF;

    -- Posted before? Rare, so only then is their content compared. The lines as they stand are the content; the time it took effect
    -- is not part of it, for one who tries again later means the same.
    IF NOT p_all_new AND EXISTS (SELECT FROM ledger.transfers t WHERE t.external_key = ANY (p_external_key)) THEN
        FOR done IN
            WITH lines AS (
                SELECT l.*, row_number() OVER (ORDER BY l.ord) AS position
                FROM unnest(p_journal, p_debit, p_credit, p_amount, p_code, p_bucket, p_external_key, p_kind, p_merchant) WITH ORDINALITY
                    AS l (journal, debit, credit, amount, code, bucket, external_key, kind, merchant, ord)
            ), asked AS (
                SELECT l.journal, max(l.external_key) AS external_key, max(l.bucket) AS bucket, max(l.kind) AS kind,
                       max(l.merchant::text) AS merchant,
                       array_agg(format('%s %s %s %s', p_accounts[l.debit], p_accounts[l.credit], l.amount, l.code) ORDER BY l.ord) AS content
                FROM lines l
                GROUP BY l.journal
            )
            SELECT q.journal, h.journal_id,
                   q.kind = h.kind AND q.merchant = h.merchant_id::text AND q.content = (
                       SELECT array_agg(format('%s %s %s %s', t.debit_account, t.credit_account, t.amount, t.code) ORDER BY t.line)
                       FROM ledger.transfers t WHERE t.journal_id = h.journal_id AND t.bucket = h.bucket) AS same
            FROM asked q
            JOIN ledger.transfers h ON h.external_key = q.external_key AND h.bucket = q.bucket
        LOOP
            statuses[done.journal] := CASE WHEN done.same THEN 'exists' ELSE 'exists_with_different_content' END;
            journal_ids[done.journal] := done.journal_id;
        END LOOP;
    END IF;

    FOR i IN 1 .. n LOOP
        IF p_journal[i] <> journal THEN
            journal := p_journal[i];
            first_line := i;
            refusal := statuses[journal];
            IF refusal IS NULL THEN
                statuses[journal] := 'posted';
                id := nextval('ledger.journal_ids');
                journal_ids[journal] := id;
            END IF;
        ELSE
            v_line[i] := i - first_line + 1;
        END IF;

        CONTINUE WHEN refusal IS NOT NULL;

        d := p_debit[i];
        c := p_credit[i];
        a := p_amount[i];
        debit_after := v_balance[d] - v_sign[d] * a;
        credit_after := v_balance[c] + v_sign[c] * a;

        -- Null where an account or a limit is missing, so the first test says "certainly well".
        IF (v_currency[d] = v_currency[c] AND v_bucket[d] = p_bucket[i] AND v_bucket[c] = p_bucket[i] AND NOT v_closed[d] AND NOT v_closed[c]
            AND (p_past_limit[i]
                OR ((v_min[d] IS NULL OR v_sign[d] < 0 OR debit_after >= v_min[d])
                    AND (v_min[c] IS NULL OR v_sign[c] > 0 OR credit_after >= v_min[c])))) IS TRUE
        THEN
            v_balance[d] := debit_after;
            v_balance[c] := credit_after;
            v_debit_bal[i] := debit_after;
            v_credit_bal[i] := credit_after;
            v_version[d] := v_version[d] + 1;
            v_debit_ver[i] := v_version[d];
            v_version[c] := v_version[c] + 1;
            v_credit_ver[i] := v_version[c];
            v_id[i] := id;
            v_any := true;
        ELSE
            refusal := CASE
                WHEN v_ids[d] IS NULL OR v_ids[c] IS NULL THEN 'account_missing'
                WHEN v_currency[d] <> v_currency[c] THEN 'currency_mismatch'
                WHEN v_bucket[d] <> p_bucket[i] OR v_bucket[c] <> p_bucket[i] THEN 'bucket_mismatch'
                WHEN v_closed[d] OR v_closed[c] THEN 'account_closed'
                ELSE 'insufficient_funds'
            END;
            statuses[journal] := refusal;
            journal_ids[journal] := NULL;
            FOR u IN REVERSE i - 1 .. first_line LOOP
                d := p_debit[u];
                c := p_credit[u];
                v_balance[d] := v_balance[d] + v_sign[d] * p_amount[u];
                v_balance[c] := v_balance[c] - v_sign[c] * p_amount[u];
                v_version[d] := v_version[d] - 1;
                v_version[c] := v_version[c] - 1;
                v_id[u] := NULL;
            END LOOP;
        END IF;
    END LOOP;

    IF NOT v_any THEN
        RETURN;
    END IF;

    INSERT INTO ledger.transfers (
        journal_id, amount, debit_version, debit_balance, credit_version, credit_balance, recorded_at, debit_account, credit_account,
        line, bucket, code, effective_at, merchant_id, kind, external_key)
    SELECT v_id[i], p_amount[i], v_debit_ver[i], v_debit_bal[i], v_credit_ver[i], v_credit_bal[i], v_recorded, p_accounts[p_debit[i]], p_accounts[p_credit[i]],
           coalesce(v_line[i], 1), p_bucket[i], p_code[i], p_effective_at[i], p_merchant[i], p_kind[i], p_external_key[i]
    FROM (SELECT generate_series(1, n) AS i) AS l
    WHERE v_id[i] IS NOT NULL;

    -- The sets are taken side by side. Their expected size is small, so that each account is looked up.
    UPDATE ledger.balances b
    SET balance = u.balance, version = u.version, recorded_at = v_recorded
    FROM (
        SELECT unnest(p_accounts) AS account_id, unnest(v_balance) AS balance, unnest(v_version) AS version, unnest(v_before) AS before
    ) AS u
    WHERE b.account_id = u.account_id AND u.version <> u.before;
END
$$;

GRANT EXECUTE ON FUNCTION ledger.post TO payments_app;

-- The same hashes; OFFSET keeps the bytes of a row from being made twice.
CREATE OR REPLACE FUNCTION ledger.seal_hash(
    p_previous bytea, p_after_journal bigint, p_to_journal bigint, p_after_account integer, p_to_account integer,
    OUT hash bytea, OUT digests bytea)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT sha256(p_previous || int8send(p_to_journal) || int4send(p_to_account) || coalesce(t.bytes, '') || coalesce(a.bytes, '')),
           coalesce(t.digests, '')
    FROM (
        SELECT string_agg(x.bytes, '' ORDER BY x.journal_id, x.line) AS bytes,
               string_agg(substr(sha256(x.bytes), 1, 8), '' ORDER BY x.journal_id, x.line) AS digests
        FROM (
            SELECT t.journal_id, t.line, ledger.transfer_bytes(t) AS bytes
            FROM ledger.transfers t
            WHERE t.journal_id > p_after_journal AND t.journal_id <= p_to_journal
            OFFSET 0
        ) x
    ) t, (
        SELECT string_agg(ledger.account_bytes(a), '' ORDER BY a.id) AS bytes
        FROM ledger.accounts a
        WHERE a.id > p_after_account AND a.id <= p_to_account
    ) a
$$;
