namespace Payments.Domain.Database;

internal static class MigratorSql
{
    // A migration that waits for a lock makes every query behind it wait too: it gives up soon, lets them pass, and tries again. What it does under
    // its locks is bounded as well; a dead client's locks go with it.
    public const string Session = """
        SET ROLE payments_owner;
        SET lock_timeout = '2s';
        SET statement_timeout = '60s';
        SET idle_in_transaction_session_timeout = '60s';
        """;

    // A migration outside a transaction builds an index beside the writes: it holds nobody up, and takes as long as it takes.
    public const string Unbounded = "SET statement_timeout = 0";

    // Session-level, so that it spans the transactions; it ends with the connection, whatever happens. Waiting for another
    // instance's migrations may take longer than any one lock should.
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
