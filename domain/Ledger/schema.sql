-- The ledger: accounts, their balances, and transfers that are only ever appended, by functions.
--
-- Every row carries its merchant's bucket, so the schema can be spread by bucket and no statement spans two shards.
-- The app may read everything here and write nothing, except through the functions that are granted at the end of their section.
-- Lock order: balances by account id. Every function below takes its locks in this order.

-- Accounts and balances -----------------------------------------------------------------------------------------------

CREATE TABLE ledger.accounts (
    id          integer     GENERATED ALWAYS AS IDENTITY,
    bucket      smallint    NOT NULL CHECK (bucket BETWEEN 0 AND 127),
    sign        smallint    NOT NULL CHECK (sign IN (1, -1)),
    min_balance bigint,
    opened_at   timestamptz NOT NULL,
    merchant_id uuid,
    currency    text        COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    name        text        COLLATE "C" NOT NULL CHECK (name ~ '^[a-z0-9_]+(/[a-z0-9_]+)*$'),
    PRIMARY KEY (id, bucket),
    CHECK (merchant_id IS NULL OR bucket = payments.bucket_of(merchant_id))
);

COMMENT ON TABLE ledger.accounts IS
    'The accounts. An account never changes. The platform''s accounts exist once per bucket. Name and currency together name all of these '
    'stripes.';
COMMENT ON COLUMN ledger.accounts.sign IS
    '+1: the balance is credits minus debits (what the platform owes or earned). -1: debits minus credits (what others owe the platform, and costs).';
COMMENT ON COLUMN ledger.accounts.min_balance IS
    'Minor units. A transfer that lowers the balance below this is refused, unless the transfer says that it may. NULL: no limit.';

CREATE UNIQUE INDEX accounts_by_name ON ledger.accounts (name, currency, bucket);

CREATE TABLE ledger.balances (
    balance     bigint      NOT NULL DEFAULT 0,
    version     bigint      NOT NULL DEFAULT 0,
    recorded_at timestamptz NOT NULL,
    min_balance bigint,
    account_id  integer     NOT NULL,
    bucket      smallint    NOT NULL,
    sign        smallint    NOT NULL,
    closed      boolean     NOT NULL DEFAULT false,
    currency    text        COLLATE "C" NOT NULL,
    PRIMARY KEY (account_id, bucket)
) WITH (
    -- With room in each page, an update stays in its page and touches no index.
    fillfactor = 40, autovacuum_vacuum_scale_factor = 0.05);

COMMENT ON TABLE ledger.balances IS
    'The balance of each account, in minor units, and copies of the columns that posting needs. Posting locks these rows, and nothing else of the ledger.';
COMMENT ON COLUMN ledger.balances.version IS 'Counts the transfers of the account from 1, without a gap.';
COMMENT ON COLUMN ledger.balances.closed IS 'The account takes no more transfers.';

-- Transfers -----------------------------------------------------------------------------------------------------------

CREATE SEQUENCE ledger.journal_ids;

-- The columns are ordered so that no padding lies between them.
CREATE TABLE ledger.transfers (
    journal_id     bigint      NOT NULL,
    amount         bigint      NOT NULL CHECK (amount > 0),
    debit_version  bigint      NOT NULL,
    debit_balance  bigint      NOT NULL,
    credit_version bigint      NOT NULL,
    credit_balance bigint      NOT NULL,
    recorded_at    timestamptz NOT NULL,
    debit_account  integer     NOT NULL,
    credit_account integer     NOT NULL,
    line           smallint    NOT NULL CHECK (line > 0),
    bucket         smallint    NOT NULL,
    code           text        NOT NULL,
    effective_at   timestamptz,
    merchant_id    uuid,
    kind           text,
    external_key   text        COLLATE "C",
    CHECK (debit_account <> credit_account),
    CHECK (merchant_id IS NULL OR bucket = payments.bucket_of(merchant_id)),
    CHECK (num_nulls(effective_at, merchant_id, kind, external_key) = CASE line WHEN 1 THEN 0 ELSE 4 END)
) WITH (
    -- Rows only arrive: the table is vacuumed for visibility and freezing, in several small runs.
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_insert_threshold = 1000000,
    autovacuum_analyze_threshold = 10000, autovacuum_analyze_scale_factor = 4);

COMMENT ON TABLE ledger.transfers IS
    'One row moves one positive amount, in minor units, from one account to another. The lines of a journal share its id. Line 1 carries '
    'the values of the whole journal.';
COMMENT ON COLUMN ledger.transfers.debit_version IS 'The version of the debited account after this row. Together with debit_balance it proves the account''s history.';
COMMENT ON COLUMN ledger.transfers.recorded_at IS 'UTC. Never earlier than the time of an earlier row of either account, whatever the clocks say.';
COMMENT ON COLUMN ledger.transfers.effective_at IS 'When the journal takes effect for the business, UTC. Line 1 only.';
COMMENT ON COLUMN ledger.transfers.external_key IS
    'Names the journal once and for all. A second journal with the key is not posted. Line 1 only.';

CREATE UNIQUE INDEX transfers_journal ON ledger.transfers (journal_id, line, bucket);
CREATE UNIQUE INDEX transfers_debit_version ON ledger.transfers (bucket, debit_account, debit_version);
CREATE UNIQUE INDEX transfers_credit_version ON ledger.transfers (bucket, credit_account, credit_version);
CREATE UNIQUE INDEX transfers_external_key ON ledger.transfers (external_key, bucket) WHERE external_key IS NOT NULL;
COMMENT ON INDEX ledger.transfers_debit_version IS 'An account''s statement, and the proof that no version is used twice.';

CREATE VIEW ledger.journals AS
SELECT journal_id, bucket, merchant_id, kind, external_key, effective_at, recorded_at
FROM ledger.transfers
WHERE line = 1;

COMMENT ON VIEW ledger.journals IS 'One row per journal.';

-- The triggers keep the ledger append-only for the owner too.
CREATE FUNCTION ledger.refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of ledger.% is refused: the ledger is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'LG001', HINT = 'Post a correcting journal instead.';
END
$$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.transfers
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.accounts
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON ledger.balances
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- Posting -------------------------------------------------------------------------------------------------------------

-- Opens the accounts that do not exist yet, and returns the ids of all of them in the order of the arguments.
CREATE FUNCTION ledger.open_accounts(
    p_bucket smallint[], p_name text[], p_currency text[], p_merchant uuid[], p_sign smallint[], p_min_balance bigint[], p_now timestamptz)
RETURNS integer[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_ids integer[];
BEGIN
    -- Sealing relies on this order: a transaction gets its own id before it takes an id from a sequence.
    PERFORM pg_current_xact_id();

    -- Lock order: accounts by (name, currency, bucket). Two callers that open the same accounts then cannot deadlock.
    WITH opened AS (
        INSERT INTO ledger.accounts (bucket, name, currency, merchant_id, sign, min_balance, opened_at)
        SELECT DISTINCT a.bucket, a.name, a.currency, a.merchant, a.sign, a.min_balance, p_now
        FROM unnest(p_bucket, p_name, p_currency, p_merchant, p_sign, p_min_balance)
            AS a (bucket, name, currency, merchant, sign, min_balance)
        WHERE NOT EXISTS (
            SELECT FROM ledger.accounts e WHERE e.name = a.name AND e.currency = a.currency AND e.bucket = a.bucket)
        ORDER BY a.name, a.currency, a.bucket
        ON CONFLICT (name, currency, bucket) DO NOTHING
        RETURNING id, bucket, sign, min_balance, currency
    )
    INSERT INTO ledger.balances (account_id, bucket, sign, min_balance, currency, recorded_at)
    SELECT id, bucket, sign, min_balance, currency, p_now FROM opened;

    SELECT array_agg(e.id ORDER BY a.ord) INTO v_ids
    FROM unnest(p_bucket, p_name, p_currency) WITH ORDINALITY AS a (bucket, name, currency, ord)
    LEFT JOIN ledger.accounts e ON e.name = a.name AND e.currency = a.currency AND e.bucket = a.bucket;
    RETURN v_ids;
END
$$;

-- Posts journals. Returns the status of each journal, and its id if it was posted now or before.
--
-- One array element is one line. The lines of a journal follow each other. Values that belong to the whole journal are NULL on all but its
-- first line.
-- p_accounts holds the ids of all accounts of the journals, ascending. p_debit and p_credit are positions in it.
-- A refused journal changes nothing and does not affect the others. Journals are decided in their order: each sees the balances that the
-- journals before it left.
-- Lock order: balances by account id. Each account is locked once and written once, however many lines name it.
-- p_all_new: the caller guarantees that none of the journals was posted before, so their keys are not looked up. If one was, the unique
-- index refuses the call.
--
-- unnest in FROM keeps a buffer of some 24 kB per array, which would be most of the cost of a short call. So arrays are read by position,
-- and sets stand in the select list, where they need no buffer.
CREATE FUNCTION ledger.post(
    p_accounts integer[],
    p_journal integer[], p_debit integer[], p_credit integer[], p_amount bigint[], p_code text[], p_past_limit boolean[], p_bucket smallint[],
    p_external_key text[], p_kind text[], p_merchant uuid[], p_effective_at timestamptz[],
    p_now timestamptz, p_all_new boolean DEFAULT false,
    OUT statuses text[], OUT journal_ids bigint[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Plans live as long as the connection. A plan that was made while the tables were small must not scan them from end to end later.
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    n            CONSTANT integer := coalesce(cardinality(p_journal), 0);
    -- Sealing relies on this order: a transaction gets its own id before it takes an id from a sequence.
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
    -- By the position of a line: the values that are inserted beside the input. A line without an id is not inserted.
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

    -- Positions must mean the same here as in p_accounts. An id without an account becomes NULL.
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

    -- A key that was posted before is rare, so contents are compared only then. The content is the kind, the merchant and the lines.
    -- effective_at is not part of it, because a caller that tries again later means the same journal.
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

        -- The condition is NULL if an account is missing. IS TRUE lets only journals pass that certainly can be posted.
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

    -- unnest in the select list reads the arrays side by side. The planner expects few rows of it, and so looks up each account.
    UPDATE ledger.balances b
    SET balance = u.balance, version = u.version, recorded_at = v_recorded
    FROM (
        SELECT unnest(p_accounts) AS account_id, unnest(v_balance) AS balance, unnest(v_version) AS version, unnest(v_before) AS before
    ) AS u
    WHERE b.account_id = u.account_id AND u.version <> u.before;
END
$$;

-- Raises an error if a journal was refused. It serves a caller whose commit follows in the same round trip, and that cannot look at the
-- statuses of ledger.post first.
CREATE FUNCTION ledger.all_posted(p_statuses text[], p_journal integer[], p_external_key text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT p_statuses <@ ARRAY['posted', 'exists'] THEN
        RAISE EXCEPTION 'the journals were refused: %', (
            SELECT string_agg(format('%s: %s', k.external_key, s.status), ', ' ORDER BY s.journal)
            FROM unnest(p_statuses) WITH ORDINALITY AS s (status, journal)
            LEFT JOIN unnest(p_journal, p_external_key) AS k (journal, external_key) ON k.journal = s.journal AND k.external_key IS NOT NULL
            WHERE s.status NOT IN ('posted', 'exists')) USING ERRCODE = 'LG003';
    END IF;
END
$$;

-- Sets money aside for payouts, one journal each: available -> in_transit, and available -> reserve for the money that is kept back.
--
-- This is ledger.post for the case in which every account belongs to one journal of the call. No journal sees another's balance. So one
-- statement moves all balances, and another writes the transfers.
-- Returns one status for each payout, in order: posted, insufficient_funds or account_closed. A refused payout changes nothing and does not
-- affect the others. If accounts are missing, their payouts get account_missing and nothing at all is posted. The caller then opens the
-- accounts and calls again. An external key that is in the ledger already is an error, because a payout's id is made for one call.
CREATE FUNCTION ledger.post_payouts(
    p_bucket smallint[], p_merchant uuid[], p_external_key text[], p_amount bigint[], p_reserve bigint[], p_currency text, p_now timestamptz)
RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Plans live as long as the connection. Looking up each account keeps the lock order, and its cost does not grow with the tables.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    n          CONSTANT integer := coalesce(cardinality(p_merchant), 0);
    statuses   text[];
    -- One element for each account. The places order them: the available accounts of all journals, then the accounts in transit, then the
    -- reserves of the journals that have one.
    places     integer[];
    accounts   integer[];
    changes    bigint[];
    steps      integer[];
    -- The same for the accounts that moved: the balance and the version afterwards.
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

    -- Sealing relies on this order: a transaction gets its own id before it takes an id from a sequence.
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

    -- Lock order: balances by account id, as in ledger.post. If another transaction changed a balance meanwhile, Postgres checks the WHERE
    -- again on the new row.
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
        -- Rare. A journal with an account that did not move is refused, and its other accounts are set back. This transaction has them
        -- locked.
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

    -- The times of an account never go back, and a transfer has one time. If the clock of another machine was ahead, all accounts take the
    -- latest time.
    IF earliest < latest THEN
        UPDATE ledger.balances b SET recorded_at = latest
        FROM unnest(accounts) AS t (account_id)
        WHERE b.account_id = t.account_id AND b.recorded_at < latest;
    END IF;

    ids := ARRAY(SELECT nextval('ledger.journal_ids') FROM generate_series(1, g));
    reserving := ARRAY(SELECT i.at FROM unnest(good) WITH ORDINALITY AS i (journal, at) WHERE p_reserve[i.journal] > 0 ORDER BY i.at);

    -- A merchant's accounts are credit-normal, so a debit lowers the balance. A journal with a reserve debits the available account twice.
    -- This is its first line.
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

-- Closes an account if its balance is zero, and returns whether it did. A closed account takes no more transfers. Its history stays
-- readable.
CREATE FUNCTION ledger.close_account(p_account integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE ledger.balances SET closed = true WHERE account_id = p_account AND balance = 0 AND NOT closed;
    RETURN FOUND;
END
$$;

GRANT EXECUTE ON FUNCTION ledger.open_accounts, ledger.post, ledger.all_posted, ledger.post_payouts, ledger.close_account TO payments_app;

-- Seals ---------------------------------------------------------------------------------------------------------------
-- A hash chain over the transfers and the accounts. It detects a change that was made with the owner's rights.

CREATE TABLE ledger.seals (
    number        bigint      PRIMARY KEY,
    after_journal bigint      NOT NULL,
    to_journal    bigint      NOT NULL,
    after_account integer     NOT NULL,
    to_account    integer     NOT NULL,
    sealed_at     timestamptz NOT NULL,
    previous      bytea       NOT NULL,
    hash          bytea       NOT NULL,
    digests       bytea       STORAGE EXTERNAL NOT NULL,
    CHECK (to_journal >= after_journal AND to_account >= after_account)
);

COMMENT ON TABLE ledger.seals IS
    'Node table. One link of the chain. It covers the journals above after_journal up to to_journal, and likewise the accounts.';
COMMENT ON COLUMN ledger.seals.digests IS 'The first eight bytes of each transfer''s own hash, in order. Where the link does not match, they tell which row was changed.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.seals
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TABLE ledger.seal_mark (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    journal_id bigint  NOT NULL,
    account_id integer NOT NULL,
    horizon    xid8    NOT NULL
);

COMMENT ON TABLE ledger.seal_mark IS
    'Node table. How far the next sealing may go: up to these ids, once every transaction that was running when they were noted has '
    'ended. One row.';

-- The bytes that are hashed: each column with its length, in the binary form, which no setting of a session changes. The functions are
-- STABLE, as record_send is. If they were IMMUTABLE, the planner could not inline them, and a call per row would cost six times as much.
CREATE FUNCTION ledger.transfer_bytes(t ledger.transfers) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT record_send(ROW(
        t.journal_id, t.line, t.bucket, t.debit_account, t.credit_account, t.amount, t.debit_version, t.debit_balance, t.credit_version,
        t.credit_balance, t.recorded_at, t.code, t.effective_at, t.merchant_id, t.kind, t.external_key))
$$;

CREATE FUNCTION ledger.account_bytes(a ledger.accounts) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT record_send(ROW(a.id, a.bucket, a.sign, a.min_balance, a.opened_at, a.merchant_id, a.currency, a.name))
$$;

-- The hash of one link. The rows come in the order of their index, so they are not sorted. OFFSET 0 keeps Postgres from making the bytes of a row twice.
CREATE FUNCTION ledger.seal_hash(
    p_previous bytea, p_after_journal bigint, p_to_journal bigint, p_after_account integer, p_to_account integer,
    OUT hash bytea, OUT digests bytea)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    SELECT sha256(p_previous || int8send(p_to_journal) || int4send(p_to_account) || coalesce(t.bytes, '') || coalesce(a.bytes, '')),
           coalesce(t.digests, '')
    FROM (
        SELECT string_agg(x.bytes, '' ORDER BY x.journal_id, x.line) AS bytes,
               string_agg(substr(sha256(x.bytes), 1, 8), '' ORDER BY x.journal_id, x.line) AS digests
        FROM (
            SELECT t.journal_id, t.line, ledger.transfer_bytes(t) AS bytes
            FROM ledger.transfers t
            WHERE t.journal_id > p_after_journal AND t.journal_id <= p_to_journal
            ORDER BY t.journal_id, t.line
            OFFSET 0
        ) x
    ) t, (
        SELECT string_agg(ledger.account_bytes(a), '' ORDER BY a.id) AS bytes
        FROM ledger.accounts a
        WHERE a.id > p_after_account AND a.id <= p_to_account
    ) a
$$;

-- Seals what has settled since the last call, p_journals per link, and returns how many links it made. A transaction has its own id before
-- it takes an id from a sequence here. So once all transactions older than the mark's horizon have ended, no row can still arrive below the
-- mark. A call therefore seals what the call before it marked.
CREATE FUNCTION ledger.seal(p_now timestamptz, p_journals integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    mark    ledger.seal_mark;
    last    ledger.seals;
    upto    bigint;
    sealed  record;
    links   integer := 0;
    marked  boolean;
BEGIN
    -- One call runs at a time. A call that waited finds nothing left to do.
    PERFORM pg_advisory_xact_lock('ledger.seals'::regclass::oid::bigint);
    SELECT * INTO mark FROM ledger.seal_mark;
    marked := FOUND;
    SELECT * INTO last FROM ledger.seals ORDER BY number DESC LIMIT 1;
    IF NOT FOUND THEN
        last.number := 0;
        last.to_journal := 0;
        last.to_account := 0;
        last.hash := sha256('');
    END IF;

    IF marked AND pg_snapshot_xmin(pg_current_snapshot()) >= mark.horizon THEN
        WHILE last.to_journal < mark.journal_id OR last.to_account < mark.account_id LOOP
            SELECT max(x.journal_id) INTO upto
            FROM (
                SELECT DISTINCT t.journal_id FROM ledger.transfers t
                WHERE t.journal_id > last.to_journal AND t.journal_id <= mark.journal_id
                ORDER BY t.journal_id
                LIMIT p_journals
            ) x;
            EXIT WHEN upto IS NULL AND NOT EXISTS (
                SELECT FROM ledger.accounts a WHERE a.id > last.to_account AND a.id <= mark.account_id);
            upto := coalesce(upto, last.to_journal);
            sealed := ledger.seal_hash(last.hash, last.to_journal, upto, last.to_account, mark.account_id);
            INSERT INTO ledger.seals (number, after_journal, to_journal, after_account, to_account, sealed_at, previous, hash, digests)
            VALUES (last.number + 1, last.to_journal, upto, last.to_account, mark.account_id, p_now, last.hash, sealed.hash, sealed.digests)
            RETURNING * INTO last;
            links := links + 1;
        END LOOP;
        marked := false;
    END IF;

    -- Order: read the ids, then the horizon, in two statements with a snapshot each. So every transaction that took one of these ids has
    -- its own id below the horizon.
    IF NOT marked THEN
        SELECT CASE WHEN j.is_called THEN j.last_value ELSE 0 END, CASE WHEN a.is_called THEN a.last_value ELSE 0 END
        INTO mark.journal_id, mark.account_id
        FROM ledger.journal_ids j, ledger.accounts_id_seq a;
        INSERT INTO ledger.seal_mark (journal_id, account_id, horizon)
        VALUES (mark.journal_id, mark.account_id, pg_snapshot_xmax(pg_current_snapshot()))
        ON CONFLICT (singleton) DO UPDATE
        SET journal_id = EXCLUDED.journal_id, account_id = EXCLUDED.account_id, horizon = EXCLUDED.horizon;
    END IF;

    RETURN links;
END
$$;

GRANT EXECUTE ON FUNCTION ledger.seal, ledger.seal_hash, ledger.transfer_bytes, ledger.account_bytes TO payments_app;

-- Balances in the past ------------------------------------------------------------------------------------------------

-- The version of an account as of a time: the last one that was recorded at or before it, or 0. Versions have no gaps and their times never
-- go back. So a binary search finds it in some twenty look-ups, without an index on the time.
CREATE FUNCTION ledger.version_at(p_account integer, p_at timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    low    bigint := 0;
    high   bigint;
    middle bigint;
    shard  smallint;
    latest timestamptz;
    at     timestamptz;
BEGIN
    SELECT b.version, b.bucket, b.recorded_at INTO high, shard, latest FROM ledger.balances b WHERE b.account_id = p_account;
    IF latest <= p_at THEN
        RETURN high;
    END IF;

    WHILE low < high LOOP
        middle := (low + high + 1) / 2;
        SELECT t.recorded_at INTO at FROM ledger.transfers t
        WHERE t.bucket = shard AND t.debit_account = p_account AND t.debit_version = middle;
        IF NOT FOUND THEN
            SELECT t.recorded_at INTO at FROM ledger.transfers t
            WHERE t.bucket = shard AND t.credit_account = p_account AND t.credit_version = middle;
        END IF;
        IF at <= p_at THEN
            low := middle;
        ELSE
            high := middle - 1;
        END IF;
    END LOOP;
    RETURN low;
END
$$;

-- The balance of an account after a version, 0 before the first.
CREATE FUNCTION ledger.balance_after(p_account integer, p_version bigint) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    shard  smallint := (SELECT b.bucket FROM ledger.balances b WHERE b.account_id = p_account);
    result bigint;
BEGIN
    SELECT t.debit_balance INTO result FROM ledger.transfers t
    WHERE t.bucket = shard AND t.debit_account = p_account AND t.debit_version = p_version;
    IF NOT FOUND THEN
        SELECT t.credit_balance INTO result FROM ledger.transfers t
        WHERE t.bucket = shard AND t.credit_account = p_account AND t.credit_version = p_version;
    END IF;
    RETURN coalesce(result, 0);
END
$$;

GRANT EXECUTE ON FUNCTION ledger.version_at, ledger.balance_after TO payments_app;
