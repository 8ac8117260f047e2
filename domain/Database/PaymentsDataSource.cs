using Azure.Core;
using Npgsql;

namespace Payments.Domain.Database;

/// <summary>Creates the connection pool that a process shares.</summary>
public static class PaymentsDataSource
{
    // The audience of Microsoft Entra tokens for Azure Database for PostgreSQL, in every public region.
    private static readonly string[] Scopes = ["https://ossrdbms-aad.database.windows.net/.default"];

    /// <param name="connectionString">A setting in it wins over the defaults made here.</param>
    /// <param name="credential">For a login that is an Entra identity: tokens take the place of the password.</param>
    /// <param name="resetSessions">
    /// True for a caller that leaves settings, roles or locks in a session, as the migrator does. The app leaves none, and a test checks
    /// its SQL for that. Without the reset, Npgsql does not send seven extra statements before each transaction.
    /// </param>
    public static NpgsqlDataSource Create(string connectionString, TokenCredential? credential = null, bool resetSessions = false)
    {
        DatabaseTypes.Register();
        var stated = new NpgsqlConnectionStringBuilder(connectionString);
        var builder = new NpgsqlDataSourceBuilder(connectionString);
        var settings = builder.ConnectionStringBuilder;
        Default("Application Name", () => settings.ApplicationName = "payments");
        Default("Max Auto Prepare", () => settings.MaxAutoPrepare = 200);
        Default("Auto Prepare Min Usages", () => settings.AutoPrepareMinUsages = 2);
        Default("Keepalive", () => settings.KeepAlive = 30);
        Default("Enlist", () => settings.Enlist = false);
        Default("No Reset On Close", () => settings.NoResetOnClose = !resetSessions);
        if (credential is not null)
        {
            // A token lives for an hour or more. Renewing it early needs no coordination with the pool.
            builder.UsePeriodicPasswordProvider(
                async (_, ct) => (await credential.GetTokenAsync(new TokenRequestContext(Scopes), ct)).Token,
                successRefreshInterval: TimeSpan.FromMinutes(20),
                failureRefreshInterval: TimeSpan.FromSeconds(5));
        }

        return builder.Build();

        void Default(string keyword, Action set)
        {
            if (!stated.ContainsKey(keyword) || !stated.ShouldSerialize(keyword))
                set();
        }
    }
}
