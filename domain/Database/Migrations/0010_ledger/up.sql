-- The ledger: accounts, their balances, and transfers that are only ever appended, by one function.
-- Every row carries its merchant's bucket, so the schema can be spread by bucket with nothing spanning two shards.

-- An account never changes. The platform's accounts exist once per bucket (stripes): name and currency name all of them together.
CREATE TABLE ledger.accounts (
    id          integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    bucket      smallint    NOT NULL CHECK (bucket BETWEEN 0 AND 63),
    -- +1: the balance is credits minus debits (what we owe or earned); -1: debits minus credits (what others owe us, costs).
    sign        smallint    NOT NULL CHECK (sign IN (1, -1)),
    -- A transfer that lowers the balance below this is refused, unless it says it may; null: no limit.
    min_balance bigint,
    opened_at   timestamptz NOT NULL,
    merchant_id uuid,
    currency    text        COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    name        text        COLLATE "C" NOT NULL CHECK (name ~ '^[a-z0-9_]+(/[a-z0-9_]+)*$')
);

CREATE UNIQUE INDEX accounts_by_name ON ledger.accounts (name, currency, bucket);

-- The moving part of an account, and copies of what posting has to know of it. Narrow, and with room in each page,
-- so that an update stays in its page and touches no index.
CREATE TABLE ledger.balances (
    balance     bigint      NOT NULL DEFAULT 0,
    version     bigint      NOT NULL DEFAULT 0,
    recorded_at timestamptz NOT NULL,
    min_balance bigint,
    account_id  integer     PRIMARY KEY,
    bucket      smallint    NOT NULL,
    sign        smallint    NOT NULL,
    closed      boolean     NOT NULL DEFAULT false,
    currency    text        COLLATE "C" NOT NULL
) WITH (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.05);

CREATE SEQUENCE ledger.journal_ids;

-- One row moves one positive amount from one account to another. The lines of a journal share its id; the first carries what belongs
-- to the whole journal. Each side holds the account's version and balance after it. Columns are ordered to leave no padding.
CREATE TABLE ledger.transfers (
    journal_id     bigint      NOT NULL,
    amount         bigint      NOT NULL CHECK (amount > 0),
    debit_version  bigint      NOT NULL,
    debit_balance  bigint      NOT NULL,
    credit_version bigint      NOT NULL,
    credit_balance bigint      NOT NULL,
    -- Never earlier than that of an earlier row of either account, whatever the clocks say.
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
    CHECK (num_nulls(effective_at, merchant_id, kind, external_key) = CASE line WHEN 1 THEN 0 ELSE 4 END)
);

CREATE UNIQUE INDEX transfers_journal ON ledger.transfers (journal_id, line, bucket);
CREATE UNIQUE INDEX transfers_debit_version ON ledger.transfers (bucket, debit_account, debit_version);
CREATE UNIQUE INDEX transfers_credit_version ON ledger.transfers (bucket, credit_account, credit_version);
CREATE UNIQUE INDEX transfers_external_key ON ledger.transfers (external_key, bucket) WHERE external_key IS NOT NULL;

-- Rows only arrive; a table that grows by millions a day is vacuumed for visibility and freezing, and not in one huge run.
ALTER TABLE ledger.transfers SET (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);

CREATE VIEW ledger.journals AS
SELECT journal_id, bucket, merchant_id, kind, external_key, effective_at, recorded_at
FROM ledger.transfers
WHERE line = 1;

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

-- Opens the accounts that do not exist yet and returns the ids of all, in the order asked for.
CREATE FUNCTION ledger.open_accounts(
    p_bucket smallint[], p_name text[], p_currency text[], p_merchant uuid[], p_sign smallint[], p_min_balance bigint[], p_now timestamptz)
RETURNS integer[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_ids integer[];
BEGIN
    -- Sealing relies on a transaction having its id before it takes one from a sequence.
    PERFORM pg_current_xact_id();

    -- In name order, so that two callers that open the same accounts do not wait for each other in a circle.
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

-- Posts journals and answers each: its status and, where it was posted now or before, its id.
-- One array element is one line; the lines of a journal follow each other, and what belongs to the journal is null on all but its first.
-- p_accounts holds the ids of the accounts touched, ascending; p_debit and p_credit are positions in it.
-- A refused journal leaves no trace and does not disturb the others. Journals are judged in their order: one sees the balances its
-- predecessors left. Each account is locked, in id order, and written once, however many lines touch it.
CREATE FUNCTION ledger.post(
    p_accounts integer[],
    p_journal integer[], p_debit integer[], p_credit integer[], p_amount bigint[], p_code text[], p_past_limit boolean[], p_bucket smallint[],
    p_external_key text[], p_kind text[], p_merchant uuid[], p_effective_at timestamptz[],
    p_now timestamptz,
    OUT statuses text[], OUT journal_ids bigint[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Plans are kept for the life of a connection: one made while the tables were small must not read them from end to end later.
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    n            CONSTANT integer := coalesce(cardinality(p_journal), 0);
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
    -- One element a line: what is inserted beside the input. No id: the line is not inserted.
    v_id         bigint[] := array_fill(NULL::bigint, ARRAY[n]);
    v_line       smallint[] := array_fill(1::smallint, ARRAY[n]);
    v_debit_ver  bigint[] := v_id;
    v_debit_bal  bigint[] := v_id;
    v_credit_ver bigint[] := v_id;
    v_credit_bal bigint[] := v_id;
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

    -- Sealing relies on a transaction having its id before it takes one from a sequence.
    PERFORM pg_current_xact_id();

    SELECT array_agg(b.account_id), array_agg(b.balance), array_agg(b.version), array_agg(b.min_balance), array_agg(b.sign),
           array_agg(b.bucket), array_agg(b.closed), array_agg(b.currency), greatest(p_now, max(b.recorded_at))
    INTO v_ids, v_balance, v_version, v_min, v_sign, v_bucket, v_closed, v_currency, v_recorded
    FROM (
        SELECT * FROM ledger.balances WHERE account_id = ANY (p_accounts) ORDER BY account_id FOR UPDATE
    ) AS b;

    -- Positions must mean the same in both; an id that has no account leaves a hole here.
    IF v_ids IS DISTINCT FROM p_accounts THEN
        SELECT array_agg(b.account_id ORDER BY a.ord), array_agg(b.balance ORDER BY a.ord), array_agg(b.version ORDER BY a.ord),
               array_agg(b.min_balance ORDER BY a.ord), array_agg(b.sign ORDER BY a.ord), array_agg(b.bucket ORDER BY a.ord),
               array_agg(b.closed ORDER BY a.ord), array_agg(b.currency ORDER BY a.ord)
        INTO v_ids, v_balance, v_version, v_min, v_sign, v_bucket, v_closed, v_currency
        FROM unnest(p_accounts) WITH ORDINALITY AS a (account_id, ord)
        LEFT JOIN ledger.balances b USING (account_id);
        IF (SELECT count(DISTINCT x) <> count(x) FROM unnest(p_accounts) x) THEN
            RAISE EXCEPTION 'an account is listed twice' USING ERRCODE = 'LG002';
        END IF;
    END IF;

    v_before := v_version;
    statuses := array_fill(NULL::text, ARRAY[p_journal[n]]);
    journal_ids := array_fill(NULL::bigint, ARRAY[p_journal[n]]);

    -- Posted before? Rare, so only then is their content compared. The lines as they stand are the content; the time it took effect
    -- is not part of it, for one who tries again later means the same.
    IF EXISTS (SELECT FROM ledger.transfers t WHERE t.external_key = ANY (p_external_key)) THEN
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
            v_debit_ver[i] := v_version[d] + 1;
            v_version[d] := v_debit_ver[i];
            v_credit_ver[i] := v_version[c] + 1;
            v_version[c] := v_credit_ver[i];
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
    SELECT l.id, l.amount, l.debit_ver, l.debit_bal, l.credit_ver, l.credit_bal, v_recorded, p_accounts[l.debit], p_accounts[l.credit],
           l.line, l.bucket, l.code, l.effective_at, l.merchant, l.kind, l.external_key
    FROM unnest(
        v_id, p_amount, v_debit_ver, v_debit_bal, v_credit_ver, v_credit_bal, p_debit, p_credit, v_line, p_bucket, p_code,
        p_effective_at, p_merchant, p_kind, p_external_key)
        AS l (id, amount, debit_ver, debit_bal, credit_ver, credit_bal, debit, credit, line, bucket, code,
            effective_at, merchant, kind, external_key)
    WHERE l.id IS NOT NULL;

    UPDATE ledger.balances b
    SET balance = u.balance, version = u.version, recorded_at = v_recorded
    FROM unnest(p_accounts, v_balance, v_version, v_before) AS u (account_id, balance, version, before)
    WHERE b.account_id = u.account_id AND u.version <> u.before;
END
$$;

-- A closed account takes no more transfers; what it did stays readable.
CREATE FUNCTION ledger.close_account(p_account integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE ledger.balances SET closed = true WHERE account_id = p_account AND balance = 0 AND NOT closed;
    RETURN FOUND;
END
$$;

GRANT EXECUTE ON FUNCTION ledger.open_accounts, ledger.post, ledger.close_account TO payments_app;
