using Azure.Core;
using Npgsql;

namespace Payments.Domain.Database;

/// <summary>Makes the pool of connections that a process shares.</summary>
public static class PaymentsDataSource
{
    // The audience of Microsoft Entra tokens for Azure Database for PostgreSQL, in every public region.
    private static readonly string[] Scopes = ["https://ossrdbms-aad.database.windows.net/.default"];

    /// <param name="connectionString">What it states wins over the settings made here.</param>
    /// <param name="credential">Given where the login is an Entra identity: tokens take the place of the password.</param>
    /// <param name="resetSessions">
    /// For who leaves settings, roles or locks in a session, as the migrator does. The app leaves none (a test holds its SQL to that), so it is spared
    /// the seven statements that would be sent before each transaction to wipe out what is not there.
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
            // A token lives for an hour or more; renewing it well before needs no coordination with the pool.
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
