-- Makes on a server what no template can: the logins of the app and of whoever deploys, the group roles, and the database.
-- Run by the server's Microsoft Entra administrator, in the database "postgres", with psql; running it again changes nothing.
--
--   app, app_object_id            name and object id of the app's managed identity
--   deployer, deployer_object_id  the same of the service principal that runs migrations
--   database                      name of the database, payments
\set ON_ERROR_STOP on

-- "service" is what a managed identity and a service principal are to the server; neither administers it.
SELECT pgaadauth_create_principal_with_oid(:'app', :'app_object_id', 'service', false, false)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'app');
SELECT pgaadauth_create_principal_with_oid(:'deployer', :'deployer_object_id', 'service', false, false)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'deployer');

SELECT 'CREATE ROLE payments_owner NOLOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'payments_owner') \gexec
SELECT 'CREATE ROLE payments_app NOLOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'payments_app') \gexec

-- The administrator creates the database for the owner, which takes membership; operators read with it.
GRANT payments_owner TO CURRENT_USER;
GRANT payments_owner TO :"deployer";
GRANT payments_app TO :"app";

SELECT format('CREATE DATABASE %I OWNER payments_owner', :'database')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec

REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO payments_app;
