-- What people did through the API: one row for each action of an operator, and for each change of keys, endpoints and payout settings whoever made it.
-- Written in the transaction of the action, so one is never there without the other. No merchant leads the key: operators act on several at once.
CREATE TABLE payments.audit_log (
    id          uuid PRIMARY KEY,
    -- "platform/NAME" for a platform key, the key's id for a merchant's.
    actor       text NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
    action      text NOT NULL CHECK (action ~ '^[a-z_]+(\.[a-z_]+)+$'),
    object_type text NOT NULL,
    object_id   text NOT NULL,
    merchant_id uuid,
    -- What was asked for or what came of it, without secrets.
    detail      jsonb NOT NULL,
    request_id  text,
    -- The trace in which it happened, as W3C writes it.
    trace_id    text,
    created_at  timestamptz NOT NULL
);

CREATE INDEX audit_log_by_actor ON payments.audit_log (actor, id);
CREATE INDEX audit_log_by_object ON payments.audit_log (object_id, id);
CREATE INDEX audit_log_by_merchant ON payments.audit_log (merchant_id, id) WHERE merchant_id IS NOT NULL;

-- The app adds and reads, nothing else; the trigger holds the owner to it too.
REVOKE UPDATE, DELETE, TRUNCATE ON payments.audit_log FROM payments_app;

CREATE FUNCTION payments.refuse_audit_log_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of payments.% is refused: what was done stays written', TG_OP, TG_TABLE_NAME USING ERRCODE = 'AU001';
END
$$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payments.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION payments.refuse_audit_log_change();

-- What payouts kept of their own before goes on here; the table stays for the version that still writes it.
INSERT INTO payments.audit_log (id, actor, action, object_type, object_id, merchant_id, detail, created_at)
SELECT id, actor, CASE WHEN action LIKE 'payout\_%' THEN 'payout.' || substr(action, 8) ELSE 'payout_settings.' || action END,
       CASE WHEN action LIKE 'payout\_%' THEN 'payout' ELSE 'payout_settings' END, object_id, merchant_id, detail, created_at
FROM payments.payout_audit;
