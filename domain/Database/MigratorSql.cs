namespace Payments.Domain.Database;

internal static class MigratorSql
{
    // A migration that waits for a lock makes every query behind it wait too: give up and let the operator choose the moment.
    public const string Session = """
        SET ROLE payments_owner;
        SET lock_timeout = '10s';
        """;

    // Session-level, so that it spans the transactions; it ends with the connection, whatever happens. Waiting for another
    // instance's migrations may take longer than any one lock should.
    public const string Lock = """
        SET lock_timeout = '5min';
        SELECT pg_advisory_lock(@key);
        SET lock_timeout = '10s';
        """;

    public const string CreateHistory = """
        CREATE SCHEMA IF NOT EXISTS payments;
        CREATE TABLE IF NOT EXISTS payments.schema_migrations (
            number     integer     PRIMARY KEY,
            name       text        NOT NULL,
            checksum   text        NOT NULL,
            applied_at timestamptz NOT NULL
        );
        """;

    public const string HistoryExists = "SELECT to_regclass('payments.schema_migrations') IS NOT NULL";

    public const string History = "SELECT number, name, checksum, applied_at FROM payments.schema_migrations ORDER BY number";

    public const string Record = """
        INSERT INTO payments.schema_migrations (number, name, checksum, applied_at)
        VALUES (@number, @name, @checksum, @now)
        """;
}
