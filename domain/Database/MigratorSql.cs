namespace Payments.Domain.Database;

internal static class MigratorSql
{
    // While a migration waits for a lock, every query behind it waits too. So it gives up soon, lets them pass, and tries again.
    // The timeouts also bound its work under its locks, and end the locks of a dead client.
    public const string Session = """
        SET ROLE payments_owner;
        SET lock_timeout = '2s';
        SET statement_timeout = '60s';
        SET idle_in_transaction_session_timeout = '60s';
        """;

    // A migration outside a transaction builds an index beside the writes. It blocks no writer, so its time is not limited.
    public const string Unbounded = "SET statement_timeout = 0";

    // A session-level lock spans the migrations' transactions. It ends with the connection in every case.
    // The wait for another instance's migrations may be longer than the wait for any other lock.
    public const string Lock = """
        SET lock_timeout = '5min';
        SET statement_timeout = '5min';
        SELECT pg_advisory_lock(@key);
        SET lock_timeout = '2s';
        SET statement_timeout = '60s';
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
