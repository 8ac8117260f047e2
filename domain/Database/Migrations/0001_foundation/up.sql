-- The two schemas and who may do what in them. Roles are made by "domain.migrate --bootstrap" (or by whoever runs the server):
-- payments_owner owns every object and runs migrations, payments_app is what the app logs in as a member of.
-- Tables made later get their grants from the default privileges below, so a migration states a grant only where it is unusual.

REVOKE ALL ON SCHEMA public FROM PUBLIC;

CREATE SCHEMA ledger;
GRANT USAGE ON SCHEMA payments, ledger TO payments_app;

-- Nobody runs a function that was not granted to them: the ledger's posting function is SECURITY DEFINER.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

ALTER DEFAULT PRIVILEGES IN SCHEMA payments GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO payments_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA payments GRANT USAGE ON SEQUENCES TO payments_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA payments GRANT EXECUTE ON FUNCTIONS TO payments_app;

-- The app reads the ledger; it writes only through functions that are granted one by one.
ALTER DEFAULT PRIVILEGES IN SCHEMA ledger GRANT SELECT ON TABLES TO payments_app;

-- What has been applied is the migrator's own record.
GRANT SELECT ON payments.schema_migrations TO payments_app;

-- One row per writer that commits in groups, written in every such transaction: it tells after a lost connection whether the commit arrived.
CREATE TABLE payments.commit_markers (
    writer       uuid        PRIMARY KEY,
    batch        bigint      NOT NULL,
    committed_at timestamptz NOT NULL
) WITH (fillfactor = 20, autovacuum_vacuum_threshold = 1000);
