using Npgsql;

namespace Payments.Domain.Database;

/// <summary>Cleans up a session after a statement failed on it.</summary>
internal static class PreparedStatements
{
    /// <summary>
    /// Drops the session's prepared statements. The driver leaves a statement half prepared if it fails in the execution that prepares it,
    /// or if another statement fails behind it (npgsql/npgsql#6391). The next execution of it on the session would fail.
    /// Do not call it inside a transaction that has failed.
    /// </summary>
    public static void Forget(NpgsqlConnection connection)
    {
        try
        {
            connection.UnprepareAll();
        }
        catch (Exception e) when (DatabaseErrors.IsTransient(e) || e is InvalidOperationException)
        {
            // The session has ended, and its prepared statements with it.
        }
    }
}
