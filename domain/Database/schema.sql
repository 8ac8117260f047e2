-- Foundations: the two Postgres schemas, and what each role may do in them.
--
-- payments_owner owns every object and runs the migrations. The app logs in as a member of payments_app.
-- "domain.migrate --bootstrap" creates both roles. Later tables get their grants from the default privileges below,
-- so a capability's schema file states a grant only where it differs.

REVOKE ALL ON SCHEMA public FROM PUBLIC;

CREATE SCHEMA ledger;
GRANT USAGE ON SCHEMA payments, ledger TO payments_app;

-- A role runs a function only with a grant: the ledger's functions are SECURITY DEFINER.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

ALTER DEFAULT PRIVILEGES IN SCHEMA payments GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO payments_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA payments GRANT USAGE ON SEQUENCES TO payments_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA payments GRANT EXECUTE ON FUNCTIONS TO payments_app;

-- The app reads the ledger. It writes to the ledger only through functions that are granted one by one.
ALTER DEFAULT PRIVILEGES IN SCHEMA ledger GRANT SELECT ON TABLES TO payments_app;

-- Buckets -------------------------------------------------------------------------------------------------------------
-- Every row that belongs to a merchant carries the merchant's bucket, in its primary key, in each unique index and in each foreign key.
-- So the tables can be spread over servers by bucket, and what one transaction changes for a merchant lies on one server. Each table's
-- comment says which kind of table it is: a table without a bucket is a "Platform table" (few rows, of no merchant) or a "Node table"
-- (one per server, for what the server itself does).
--
-- The bucket also carries the mode: 0 to 63 is live, 64 to 127 is test. A merchant's live and test account have different ids, so the
-- mode is part of every key too.

-- The bucket of a merchant's account: the low six bits of its id, and the bit 64 where the id is of a test account (UUID version 8; live
-- ids have version 7). What belongs to the platform itself (NULL, or the nil UUID) is in bucket 0. MerchantId.Bucket computes the same.
CREATE FUNCTION payments.bucket_of(p_merchant uuid) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce((get_byte(uuid_send(p_merchant), 15) & 63) + CASE get_byte(uuid_send(p_merchant), 6) >> 4 WHEN 8 THEN 64 ELSE 0 END,
    0)::smallint;

CREATE FUNCTION payments.mode_of(p_bucket smallint) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN p_bucket < 64 THEN 'live' ELSE 'test' END;

-- The migrator creates this table before it applies anything, and keeps its own record in it.
GRANT SELECT ON payments.schema_migrations TO payments_app;
COMMENT ON TABLE payments.schema_migrations IS
    'Node table. The migrations that were applied to this database. Only the migrator writes to it.';

CREATE TABLE payments.commit_markers (
    writer       uuid        PRIMARY KEY,
    batch        bigint      NOT NULL,
    committed_at timestamptz NOT NULL
) WITH (fillfactor = 20, autovacuum_vacuum_threshold = 1000);

COMMENT ON TABLE payments.commit_markers IS
    'Node table. One row per group-commit writer, updated in each of its transactions. After a lost connection the writer reads here '
    'whether its last commit took effect.';
