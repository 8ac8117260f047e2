-- Foundations: the two Postgres schemas, and what each role may do in them.
--
-- payments_owner owns every object and runs the migrations. The app logs in as a member of payments_app.
-- "domain.migrate --bootstrap" creates both roles. Later tables get their grants from the default privileges below,
-- so a capability's schema file states a grant only where it differs.

REVOKE ALL ON SCHEMA public FROM PUBLIC;

CREATE SCHEMA ledger;
GRANT USAGE ON SCHEMA payments, ledger TO payments_app;

-- A role runs a function only if it was granted: the ledger's functions are SECURITY DEFINER.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

ALTER DEFAULT PRIVILEGES IN SCHEMA payments GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO payments_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA payments GRANT USAGE ON SEQUENCES TO payments_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA payments GRANT EXECUTE ON FUNCTIONS TO payments_app;

-- The app reads the ledger. It writes to the ledger only through functions that are granted one by one.
ALTER DEFAULT PRIVILEGES IN SCHEMA ledger GRANT SELECT ON TABLES TO payments_app;

-- The migrator creates this table before it applies anything, and keeps its own record in it.
GRANT SELECT ON payments.schema_migrations TO payments_app;
COMMENT ON TABLE payments.schema_migrations IS 'The migrations that were applied to this database. Only the migrator writes to it.';

CREATE TABLE payments.commit_markers (
    writer       uuid        PRIMARY KEY,
    batch        bigint      NOT NULL,
    committed_at timestamptz NOT NULL
) WITH (fillfactor = 20, autovacuum_vacuum_threshold = 1000);

COMMENT ON TABLE payments.commit_markers IS
    'One row per group-commit writer, updated in each of its transactions. After a lost connection the writer reads here whether its last commit took effect.';
