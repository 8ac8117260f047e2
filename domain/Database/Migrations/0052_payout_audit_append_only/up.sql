-- Who changed what about payouts is written once. The app may add and read; nobody changes or removes a row, the owner included.
REVOKE UPDATE, DELETE, TRUNCATE ON payments.payout_audit FROM payments_app;

CREATE FUNCTION payments.refuse_audit_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of payments.% is refused: an audit trail is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'PA001', HINT = 'Write down what was wrong as a new row.';
END
$$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payments.payout_audit
    FOR EACH STATEMENT EXECUTE FUNCTION payments.refuse_audit_change();
