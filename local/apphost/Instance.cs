using Npgsql;
using Payments.Kit;

namespace Payments.AppHost;

/// <summary>The data, secrets and servers of the platform that one clone runs. All of it is kept between runs.</summary>
internal sealed record Instance(string Data, Secrets Secrets, DatabaseLogins Logins, EmbeddedPostgres? Postgres, string Psql)
{
    /// <summary>The folder of the app that runs: the published app and its settings.</summary>
    public string App => Path.Combine(Data, "app");

    /// <summary>Whether this run may change the schema. If not, the database is used as it is.</summary>
    public bool Migrates => Logins.Owner.Length > 0;

    /// <summary>Where everything is kept, below the clone unless the environment names another folder.</summary>
    public static string DataFolder => Given("PAYMENTS_DATA") ?? Path.Combine(Repository.Data, "run");

    public static bool HasOwnPostgres => Given("ConnectionStrings__Postgres") is null;

    /// <summary>Sets up whatever is missing: npm packages, keys, Postgres' data, a copy of the app with its settings.</summary>
    public static async Task<Instance> PrepareAsync(RunOptions options, string logs)
    {
        await Tools.RequireNodeAsync();
        await Tools.InstallAsync();
        var secrets = Secrets.LoadOrCreate(Path.Combine(DataFolder, "secrets.env"));
        var owner = Given("ConnectionStrings__PostgresOwner");
        var instance = HasOwnPostgres
            ? await WithOwnPostgresAsync(options, secrets, logs)
            : new Instance(
                DataFolder,
                secrets,
                new DatabaseLogins(Given("ConnectionStrings__Postgres")!, owner ?? "", Given("ConnectionStrings__PostgresAdmin")),
                Postgres: null,
                PsqlOf(new NpgsqlConnectionStringBuilder(owner ?? Given("ConnectionStrings__Postgres"))));
        var ports = options.Ports;
        var surroundings = new AppSurroundings(
            Azurite.ConnectionStringOf(ports.Azurite), instance.Logins.App, new Uri($"http://127.0.0.1:{ports.Acquirer}"), secrets)
        {
            Transport = options.Transport,
            ServiceBus = options.Transport == Transports.ServiceBus ? Programs.ServiceBusConnectionString(ports.ServiceBus.Number) : "",
        };

        // EUR goes to the bank by file, so that a run shows both rails: all other currencies go by the sandbox bank's API.
        var settings = AppSettings.Compose(surroundings, [new("Payouts__Rails__EUR", Given("Payouts__Rails__EUR") ?? "file")]);
        Programs.CopyApp(instance.App, settings);
        return instance;
    }

    /// <summary>Deletes everything. No run may be up.</summary>
    public static void Remove()
    {
        EmbeddedPostgres.Remove(Path.Combine(DataFolder, "postgres"));
        if (Directory.Exists(DataFolder))
            Directory.Delete(DataFolder, recursive: true);
    }

    private static async Task<Instance> WithOwnPostgresAsync(RunOptions options, Secrets secrets, string logs)
    {
        var postgres = await EmbeddedPostgres.PrepareAsync(
            Path.Combine(DataFolder, "postgres"), options.Ports.Postgres.Number, secrets.PostgresPassword, logs);
        options.Ports.Postgres.RequireFree();
        var logins = DatabaseLogins.On(postgres.Admin, "payments", "local", secrets);
        return new Instance(DataFolder, secrets, logins, postgres, PsqlOf(new NpgsqlConnectionStringBuilder(logins.Owner)));
    }

    /// <summary>The password is shown only where it is one of this clone's own.</summary>
    private static string PsqlOf(NpgsqlConnectionStringBuilder server) => HasOwnPostgres
        ? $"psql postgresql://{server.Username}:{server.Password}@{server.Host}:{server.Port}/{server.Database}"
        : $"psql 'host={server.Host} port={server.Port} dbname={server.Database} user={server.Username}'";

    private static string? Given(string variable) => Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null;
}
