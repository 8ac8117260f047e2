using Npgsql;

namespace Payments.Kit;

/// <summary>Connection strings to one database: of the app, which cannot change the schema, of its owner, and of the server's administrator.</summary>
public sealed record DatabaseLogins(string App, string Owner, string? Admin)
{
    /// <summary>Logins on a server where the kit is the administrator.</summary>
    /// <param name="admin">The administrator's connection string.</param>
    /// <param name="database">The database.</param>
    /// <param name="suffix">Ends the names of the roles: servers of different use have different roles.</param>
    /// <param name="secrets">The passwords.</param>
    public static DatabaseLogins On(string admin, string database, string suffix, Secrets secrets)
    {
        string Login(string role, string password) =>
            new NpgsqlConnectionStringBuilder(admin) { Database = database, Username = $"{role}_{suffix}", Password = password }.ConnectionString;
        return new DatabaseLogins(Login("payments_app", secrets.LoginPassword), Login("payments_owner", secrets.OwnerPassword), admin);
    }
}
