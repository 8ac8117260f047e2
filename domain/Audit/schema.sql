-- The audit log: the actions of people through the API. A trigger keeps the owner to append-only too.

CREATE TABLE payments.audit_log (
    bucket      smallint    NOT NULL CHECK (bucket = payments.bucket_of(merchant_id)),
    id          uuid        NOT NULL,
    actor       text        NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
    action      text        NOT NULL CHECK (action ~ '^[a-z_]+(\.[a-z_]+)+$'),
    object_type text        NOT NULL,
    object_id   text        NOT NULL,
    merchant_id uuid,
    detail      jsonb       NOT NULL,
    request_id  text,
    trace_id    text,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (id, bucket)
);

COMMENT ON TABLE payments.audit_log IS
    'One row for each action of an operator, and for each change of keys, endpoints and payout settings. It is written in the transaction of the action.';
COMMENT ON COLUMN payments.audit_log.actor IS '"platform/NAME" for a platform key, the id of the key for a merchant.';
COMMENT ON COLUMN payments.audit_log.merchant_id IS 'NULL where an operator acted on several merchants at once.';
COMMENT ON COLUMN payments.audit_log.detail IS 'What was asked for, or what came of it, without secrets.';
COMMENT ON COLUMN payments.audit_log.trace_id IS 'The trace of the request, in the form of W3C Trace Context.';

CREATE INDEX audit_log_by_actor ON payments.audit_log (actor, id);
CREATE INDEX audit_log_by_object ON payments.audit_log (object_id, id);
CREATE INDEX audit_log_by_merchant ON payments.audit_log (merchant_id, id) WHERE merchant_id IS NOT NULL;

REVOKE UPDATE, DELETE, TRUNCATE ON payments.audit_log FROM payments_app;

CREATE FUNCTION payments.refuse_audit_log_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of payments.% is refused: what was done stays written', TG_OP, TG_TABLE_NAME USING ERRCODE = 'AU001';
END
$$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payments.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION payments.refuse_audit_log_change();
