-- For callers whose commit follows in the same round trip, and who could not look at the answers of ledger.post before it: a refusal ends the statement.
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

GRANT EXECUTE ON FUNCTION ledger.all_posted TO payments_app;
