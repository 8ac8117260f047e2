using Npgsql;

namespace Payments.Domain.Database;

/// <summary>Whether it helps to repeat a failed statement.</summary>
public enum RetryAdvice
{
    /// <summary>The statement is wrong, or Postgres refused it. Repeating it fails again.</summary>
    Never,

    /// <summary>Another transaction was in the way. Nothing was done, and the server is healthy.</summary>
    Again,

    /// <summary>The server or the connection to it failed. Statements that were sent before may have taken effect.</summary>
    WhenReachable,
}

/// <summary>Classifies the exceptions that Npgsql throws.</summary>
public static class DatabaseErrors
{
    public static RetryAdvice Advise(Exception exception) => exception switch
    {
        PostgresException e => Advise(e.SqlState),
        NpgsqlException or TimeoutException or IOException or System.Net.Sockets.SocketException => RetryAdvice.WhenReachable,
        _ => RetryAdvice.Never,
    };

    public static bool IsTransient(Exception exception) => Advise(exception) is not RetryAdvice.Never;

    /// <summary>Whether the exception is a violation of the named unique constraint or index.</summary>
    public static bool IsUniqueViolation(Exception exception, string constraint) =>
        exception is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation } e && e.ConstraintName == constraint;

    private static RetryAdvice Advise(string sqlState) => sqlState switch
    {
        PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.LockNotAvailable
            => RetryAdvice.Again,

        // Class 08: connection; 57P0x: the server is going down or coming up; 53: out of connections, memory or disk;
        // 25006: connected to a server that has just become a replica.
        _ when sqlState.StartsWith("08", StringComparison.Ordinal)
            || sqlState.StartsWith("53", StringComparison.Ordinal)
            || sqlState.StartsWith("57P", StringComparison.Ordinal)
            || sqlState == PostgresErrorCodes.ReadOnlySqlTransaction
            => RetryAdvice.WhenReachable,
        _ => RetryAdvice.Never,
    };
}
