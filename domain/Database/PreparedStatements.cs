using Npgsql;

namespace Payments.Domain.Database;

/// <summary>What is to be done with a session after a statement has failed on it.</summary>
internal static class PreparedStatements
{
    /// <summary>
    /// Drops the session's prepared statements. One that fails in the very execution that prepares it, or behind which another fails, is left half prepared by the driver (npgsql/npgsql#6391),
    /// and whoever runs it next would fail on it. Not inside a transaction that has failed.
    /// </summary>
    public static void Forget(NpgsqlConnection connection)
    {
        try
        {
            connection.UnprepareAll();
        }
        catch (Exception e) when (DatabaseErrors.IsTransient(e) || e is InvalidOperationException)
        {
            // The session is gone, and its statements with it.
        }
    }
}
