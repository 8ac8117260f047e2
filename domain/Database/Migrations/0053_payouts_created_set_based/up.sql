-- Sets money aside for payouts, one journal each: available -> in_transit, and available -> reserve for what is kept back. It is ledger.post for the
-- one case in which every account belongs to one journal of the call: no journal sees another's balance, so one statement moves all of
-- them and one writes their transfers.
-- Answers each in its order: posted, insufficient_funds, account_closed. A refused one leaves no trace and does not disturb the others. Where accounts
-- are missing, account_missing tells whose, and nothing at all is posted: open them and call again. An external key that is in the
-- ledger already is an error, for a payout's id is made for one call.
CREATE FUNCTION ledger.post_payouts(
    p_bucket smallint[], p_merchant uuid[], p_external_key text[], p_amount bigint[], p_reserve bigint[], p_currency text, p_now timestamptz)
RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Plans are kept for the life of a connection. Looking up each account keeps the order of locks, and costs the same however large the tables are.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    n          CONSTANT integer := coalesce(cardinality(p_merchant), 0);
    statuses   text[];
    -- One element for each account that is touched. Places order them: the available ones of all journals, then those in transit, then the
    -- reserves of the journals that have one.
    places     integer[];
    accounts   integer[];
    changes    bigint[];
    steps      integer[];
    -- Likewise, of those that moved: the balance and the version after it.
    moved      integer[];
    balances   bigint[];
    versions   bigint[];
    did_move   boolean[];
    good       integer[];
    reserving  integer[];
    ids        bigint[];
    g          integer;
    next_moved integer := 1;
    earliest   timestamptz;
    latest     timestamptz;
BEGIN
    IF n = 0 THEN
        RETURN '{}';
    END IF;

    IF (SELECT count(DISTINCT x) <> n FROM unnest(p_merchant) x) THEN
        RAISE EXCEPTION 'a merchant is listed twice' USING ERRCODE = 'LG002';
    END IF;

    -- Sealing relies on a transaction having its id before it takes one from a sequence.
    PERFORM pg_current_xact_id();

    statuses := array_fill('posted'::text, ARRAY[n]);
    SELECT array_agg(s.place ORDER BY s.place), array_agg(a.id ORDER BY s.place), array_agg(s.change ORDER BY s.place), array_agg(s.steps ORDER BY s.place)
    INTO places, accounts, changes, steps
    FROM (
        SELECT t.ord::integer AS place, t.bucket, 'merchant/mer_' || replace(t.merchant::text, '-', '') || '/available' AS name,
               -(t.amount + t.reserve) AS change, 1 + (t.reserve > 0)::integer AS steps
        FROM unnest(p_bucket, p_merchant, p_amount, p_reserve) WITH ORDINALITY AS t (bucket, merchant, amount, reserve, ord)
        UNION ALL
        SELECT n + t.ord::integer, t.bucket, 'merchant/mer_' || replace(t.merchant::text, '-', '') || '/in_transit', t.amount, 1
        FROM unnest(p_bucket, p_merchant, p_amount) WITH ORDINALITY AS t (bucket, merchant, amount, ord)
        UNION ALL
        SELECT n + n + t.ord::integer, t.bucket, 'merchant/mer_' || replace(t.merchant::text, '-', '') || '/reserve', t.reserve, 1
        FROM unnest(p_bucket, p_merchant, p_reserve) WITH ORDINALITY AS t (bucket, merchant, reserve, ord)
        WHERE t.reserve > 0
    ) s
    LEFT JOIN ledger.accounts a ON a.name = s.name AND a.currency = p_currency AND a.bucket = s.bucket;

    IF array_position(accounts, NULL) IS NOT NULL THEN
        FOR i IN 1 .. cardinality(accounts) LOOP
            IF accounts[i] IS NULL THEN
                statuses[(places[i] - 1) % n + 1] := 'account_missing';
            END IF;
        END LOOP;
        RETURN statuses;
    END IF;

    -- In the order of accounts, as ledger.post locks them. What another transaction changed meanwhile is judged anew by the WHERE.
    WITH updated AS (
        UPDATE ledger.balances b
        SET balance = b.balance + m.change, version = b.version + m.steps, recorded_at = greatest(b.recorded_at, p_now)
        FROM (
            SELECT t.place, t.account_id, t.change, t.steps
            FROM unnest(places, accounts, changes, steps) AS t (place, account_id, change, steps)
            ORDER BY t.account_id
        ) m
        WHERE b.account_id = m.account_id AND NOT b.closed AND (m.change > 0 OR b.min_balance IS NULL OR b.balance + m.change >= b.min_balance)
        RETURNING m.place, b.balance, b.version, b.recorded_at
    )
    SELECT array_agg(place ORDER BY place), array_agg(balance ORDER BY place), array_agg(version ORDER BY place), min(recorded_at), max(recorded_at)
    INTO moved, balances, versions, earliest, latest
    FROM updated;

    IF coalesce(cardinality(moved), 0) < cardinality(places) THEN
        -- Rare. A journal with a side that did not move is refused, and its other sides are put back: this transaction has them locked.
        did_move := array_fill(true, ARRAY[cardinality(places)]);
        FOR i IN 1 .. cardinality(places) LOOP
            IF places[i] = moved[next_moved] THEN
                next_moved := next_moved + 1;
            ELSE
                did_move[i] := false;
                statuses[(places[i] - 1) % n + 1] := CASE
                    WHEN (SELECT b.closed FROM ledger.balances b WHERE b.account_id = accounts[i]) THEN 'account_closed' ELSE 'insufficient_funds' END;
            END IF;
        END LOOP;

        UPDATE ledger.balances b
        SET balance = b.balance - t.change, version = b.version - t.steps
        FROM unnest(places, accounts, changes, steps, did_move) AS t (place, account_id, change, steps, did_move)
        WHERE b.account_id = t.account_id AND t.did_move AND statuses[(t.place - 1) % n + 1] <> 'posted';

        SELECT array_agg(t.account_id ORDER BY t.place) INTO accounts
        FROM unnest(places, accounts) AS t (place, account_id)
        WHERE statuses[(t.place - 1) % n + 1] = 'posted';
        SELECT array_agg(t.balance ORDER BY t.place), array_agg(t.version ORDER BY t.place) INTO balances, versions
        FROM unnest(moved, balances, versions) AS t (place, balance, version)
        WHERE statuses[(t.place - 1) % n + 1] = 'posted';
    END IF;

    good := ARRAY(SELECT i FROM generate_series(1, n) AS i WHERE statuses[i] = 'posted' ORDER BY i);
    g := cardinality(good);

    IF g = 0 THEN
        RETURN statuses;
    END IF;

    -- An account's times never go back, and a transfer has one time: where another machine's clock was ahead, all take the latest.
    IF earliest < latest THEN
        UPDATE ledger.balances b SET recorded_at = latest
        FROM unnest(accounts) AS t (account_id)
        WHERE b.account_id = t.account_id AND b.recorded_at < latest;
    END IF;

    ids := ARRAY(SELECT nextval('ledger.journal_ids') FROM generate_series(1, g));
    reserving := ARRAY(SELECT i.at FROM unnest(good) WITH ORDINALITY AS i (journal, at) WHERE p_reserve[i.journal] > 0 ORDER BY i.at);

    -- A merchant's accounts are credit-normal: what is debited falls. A journal that also reserves debits available twice, this first.
    INSERT INTO ledger.transfers (
        journal_id, amount, debit_version, debit_balance, credit_version, credit_balance, recorded_at, debit_account, credit_account,
        line, bucket, code, effective_at, merchant_id, kind, external_key)
    SELECT t.id, p_amount[t.journal], t.debit_version - (p_reserve[t.journal] > 0)::integer, t.debit_balance + p_reserve[t.journal], t.credit_version, t.credit_balance,
           latest, t.debit_account, t.credit_account, 1, p_bucket[t.journal], 'payout', p_now, p_merchant[t.journal], 'payout_created', p_external_key[t.journal]
    FROM unnest(
        good, ids, versions[1:g], balances[1:g], versions[g + 1:g + g], balances[g + 1:g + g], accounts[1:g], accounts[g + 1:g + g])
        AS t (journal, id, debit_version, debit_balance, credit_version, credit_balance, debit_account, credit_account);

    IF cardinality(reserving) > 0 THEN
        INSERT INTO ledger.transfers (
            journal_id, amount, debit_version, debit_balance, credit_version, credit_balance, recorded_at, debit_account, credit_account, line, bucket, code)
        SELECT ids[t.at], p_reserve[good[t.at]], versions[t.at], balances[t.at], t.credit_version, t.credit_balance, latest, accounts[t.at], t.credit_account,
               2, p_bucket[good[t.at]], 'reserve'
        FROM unnest(reserving, versions[g + g + 1:], balances[g + g + 1:], accounts[g + g + 1:]) AS t (at, credit_version, credit_balance, credit_account);
    END IF;

    RETURN statuses;
END
$$;

GRANT EXECUTE ON FUNCTION ledger.post_payouts TO payments_app;

-- Makes the payouts of a chunk of a run and moves the ledger with them: payouts, their own balance transactions, journals. Answers each as ledger.post_payouts
-- does; only those posted exist afterwards.
CREATE FUNCTION payments.create_payouts(
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
        (merchant_id, id, run_id, status, currency, amount, bank_account_id, rail, method, trace, arrival_date, created_at, updated_at)
    SELECT t.merchant_id, t.id, p_run, 'pending', p_currency, t.amount, t.bank_account_id, p_rail, p_method, t.trace, p_arrival_date, p_now, p_now
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
