using Dapper;
using Npgsql;

namespace Payments.Domain.Database;

/// <summary>
/// Creates what migrations need: the group roles <c>payments_owner</c> and <c>payments_app</c>, a login in each, and the database.
/// Idempotent: running it again creates what is missing and sets the passwords of the logins.
/// </summary>
public static class DatabaseBootstrap
{
    // Roles belong to the whole server. The lock keeps two bootstraps from creating the same role at the same time.
    private const long AdvisoryLock = 0x7061_796D_726F_6C65;

    /// <param name="admin">A login that may create roles and databases.</param>
    /// <param name="owner">Its user becomes a member of <c>payments_owner</c>, and its database is created.</param>
    /// <param name="app">Its user becomes a member of <c>payments_app</c>.</param>
    public static async Task RunAsync(
        NpgsqlConnectionStringBuilder admin, NpgsqlConnectionStringBuilder owner, NpgsqlConnectionStringBuilder app, CancellationToken ct = default)
    {
        await EnsureRolesAsync(admin, owner, app, ct);
        await using var connection = await OpenAsync(admin, ct);
        await CreateDatabaseAsync(connection, owner.Database ?? throw new ArgumentException("The owner's connection string names no database.", nameof(owner)), ct);
    }

    /// <summary>Creates the roles alone, for a caller that creates databases itself.</summary>
    public static async Task EnsureRolesAsync(
        NpgsqlConnectionStringBuilder admin, NpgsqlConnectionStringBuilder owner, NpgsqlConnectionStringBuilder app, CancellationToken ct = default)
    {
        await using var connection = await OpenAsync(admin, ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await connection.ExecuteAsync(new CommandDefinition("SELECT pg_advisory_xact_lock(@AdvisoryLock)", new { AdvisoryLock }, transaction, cancellationToken: ct));
        await EnsureRoleAsync(connection, transaction, "payments_owner", "NOLOGIN", ct);
        await EnsureRoleAsync(connection, transaction, "payments_app", "NOLOGIN", ct);

        // An administrator that is not a superuser can hand objects to the owner only as a member of it.
        await ExecuteAsync(connection, transaction, "GRANT payments_owner TO CURRENT_USER", ct);
        await EnsureLoginAsync(connection, transaction, owner, "payments_owner", ct);
        await EnsureLoginAsync(connection, transaction, app, "payments_app", ct);
        await transaction.CommitAsync(ct);
    }

    private static async Task CreateDatabaseAsync(NpgsqlConnection connection, string database, CancellationToken ct)
    {
        if (await ExistsAsync(connection, null, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = @name)", database, ct))
            return;
        try
        {
            await ExecuteAsync(connection, null, $"CREATE DATABASE {Quote(database)} OWNER payments_owner", ct);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.DuplicateDatabase or PostgresErrorCodes.UniqueViolation)
        {
            // Another instance created it between the check and the statement.
        }
    }

    private static async Task EnsureLoginAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, NpgsqlConnectionStringBuilder login, string group, CancellationToken ct)
    {
        var name = login.Username ?? throw new ArgumentException($"The connection string for {group} names no user.", nameof(login));
        var attributes = login.Password is { Length: > 0 } password ? $"LOGIN PASSWORD {Literal(password)}" : "LOGIN";
        await EnsureRoleAsync(connection, transaction, name, attributes, ct);
        await ExecuteAsync(connection, transaction, $"GRANT {group} TO {Quote(name)}", ct);
    }

    private static async Task EnsureRoleAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, string role, string attributes, CancellationToken ct)
    {
        var exists = await ExistsAsync(connection, transaction, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = @name)", role, ct);
        await ExecuteAsync(connection, transaction, $"{(exists ? "ALTER" : "CREATE")} ROLE {Quote(role)} {attributes}", ct);
    }

    private static Task<bool> ExistsAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, string sql, string name, CancellationToken ct) =>
        connection.ExecuteScalarAsync<bool>(new CommandDefinition(sql, new { name }, transaction, cancellationToken: ct));

    // Postgres takes no parameters in these statements. The callers quote every name and password with Quote and Literal.
    private static async Task ExecuteAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, string sql, CancellationToken ct)
    {
        await using var command = connection.CreateCommand();
        command.Transaction = transaction;
#pragma warning disable CA2100
        command.CommandText = sql;
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync(ct);
    }

    private static string Quote(string identifier) => $"\"{identifier.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private static string Literal(string text) => $" E'{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "''", StringComparison.Ordinal)}'";

    private static async Task<NpgsqlConnection> OpenAsync(NpgsqlConnectionStringBuilder admin, CancellationToken ct)
    {
        var connection = new NpgsqlConnection(admin.ConnectionString);
        await connection.OpenAsync(ct);
        return connection;
    }
}
