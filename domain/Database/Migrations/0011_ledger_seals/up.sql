-- Seals: a hash chain over what was posted and over the accounts it was posted to, so that a change made behind the ledger's back is
-- found, and a balance at any time, found by halving.

-- One link. It covers the journals above after_journal up to to_journal, and likewise the accounts.
CREATE TABLE ledger.seals (
    number        bigint      PRIMARY KEY,
    after_journal bigint      NOT NULL,
    to_journal    bigint      NOT NULL,
    after_account integer     NOT NULL,
    to_account    integer     NOT NULL,
    sealed_at     timestamptz NOT NULL,
    previous      bytea       NOT NULL,
    hash          bytea       NOT NULL,
    -- The first eight bytes of each transfer's own hash, in order: where the link does not match, they tell which row it is.
    digests       bytea       NOT NULL,
    CHECK (to_journal >= after_journal AND to_account >= after_account)
);
ALTER TABLE ledger.seals ALTER COLUMN digests SET STORAGE EXTERNAL;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.seals
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- How far the next sealing may go: up to these ids, once every transaction that was running when they were noted has ended.
CREATE TABLE ledger.seal_mark (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    journal_id bigint  NOT NULL,
    account_id integer NOT NULL,
    horizon    xid8    NOT NULL
);

-- The bytes that are hashed: each column with its length, in the binary form, which no setting of a session changes.
CREATE FUNCTION ledger.transfer_bytes(t ledger.transfers) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT record_send(ROW(
        t.journal_id, t.line, t.bucket, t.debit_account, t.credit_account, t.amount, t.debit_version, t.debit_balance, t.credit_version,
        t.credit_balance, t.recorded_at, t.code, t.effective_at, t.merchant_id, t.kind, t.external_key))
$$;

CREATE FUNCTION ledger.account_bytes(a ledger.accounts) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT record_send(ROW(a.id, a.bucket, a.sign, a.min_balance, a.opened_at, a.merchant_id, a.currency, a.name))
$$;

CREATE FUNCTION ledger.seal_hash(
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
        ) x
    ) t, (
        SELECT string_agg(ledger.account_bytes(a), '' ORDER BY a.id) AS bytes
        FROM ledger.accounts a
        WHERE a.id > p_after_account AND a.id <= p_to_account
    ) a
$$;

-- Seals what has settled since the last call, p_journals to a link, and returns how many links it made. Whoever takes an id from a
-- sequence here has a transaction id before; so once all transactions older than the mark's horizon have ended, nothing can still
-- arrive below the mark. A call therefore seals what the call before it marked.
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
    -- One at a time; the others find nothing left to do.
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

    -- Ids first, then the horizon, each with a snapshot of its own: whoever took one of these ids was running before the horizon.
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

-- The version of an account as of a time: the last one recorded at or before it, 0 before the first. Versions have no gaps and their
-- times never go back, so halving finds it in some twenty look-ups, and no index has to be kept for it.
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

GRANT EXECUTE ON FUNCTION ledger.seal, ledger.seal_hash, ledger.transfer_bytes, ledger.account_bytes, ledger.version_at, ledger.balance_after
    TO payments_app;
