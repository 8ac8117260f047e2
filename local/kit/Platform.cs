using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Npgsql;

namespace Payments.Kit;

/// <summary>How a <see cref="Platform"/> is made.</summary>
public sealed record PlatformOptions
{
    /// <summary>What carries messages: <c>storage</c> or <c>servicebus</c>.</summary>
    public string Transport { get; init; } = Transports.Storage;

    /// <summary>Whether the acquirer sends webhooks to the app.</summary>
    public bool AcquirerSendsWebhooks { get; init; } = true;

    /// <summary>An acquirer that runs already, with its key; null starts one.</summary>
    public (Uri Address, Secrets Secrets)? Acquirer { get; init; }

    /// <summary>The acquirer's port; null takes a free one.</summary>
    public int? AcquirerPort { get; init; }

    /// <summary>A storage account of this platform's own; null takes the one of the servers.</summary>
    public string? Storage { get; init; }

    /// <summary>Further settings of the app.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>Variables of the environment of host and app at every start.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();
}

/// <summary>One instance of everything over a test run's servers: a database, an acquirer, the Service Bus double if needed, and the app under the local host.</summary>
public sealed class Platform : IAsyncDisposable
{
    /// <summary>Whether apps run on Azure Functions Core Tools, which has Microsoft's host, instead of <c>local/host</c>.</summary>
    public static bool OnCoreTools => System.Environment.GetEnvironmentVariable("PAYMENTS_TEST_HOST") == "func";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly TestServers _servers;
    private readonly PlatformOptions _options;
    private readonly string _name;
    private readonly string _folder;
    private readonly string _database;
    private ChildProcess? _acquirer;
    private ChildProcess? _bus;
    private ChildProcess? _app;

    private Platform(TestServers servers, string name, PlatformOptions options)
    {
        (_servers, _name, _options) = (servers, name, options);
        _folder = Path.Combine(servers.Folder, name);
        _database = $"payments_{name}_{System.Environment.ProcessId}".Replace('-', '_');
        Secrets = options.Acquirer?.Secrets ?? servers.Secrets;
        Logins = DatabaseLogins.On(servers.Admin, _database, "test", servers.Secrets);
        Storage = options.Storage ?? servers.Storage;
    }

    public Secrets Secrets { get; }

    public DatabaseLogins Logins { get; }

    /// <summary>The administrator's connection string to this platform's database.</summary>
    public string AdminDatabase => new NpgsqlConnectionStringBuilder(_servers.Admin) { Database = _database }.ConnectionString;

    public string Storage { get; }

    public string Transport => _options.Transport;

    /// <summary>The connection string of Service Bus; empty on the other transport.</summary>
    public string ServiceBus { get; private set; } = "";

    public Uri AcquirerAddress { get; private set; } = null!;

    public int AppPort { get; } = FreePorts.Take();

    public Uri AppAddress => new($"http://127.0.0.1:{AppPort}");

    /// <summary>The process of the host, which started the app's worker; null while the app is down.</summary>
    public ChildProcess? App => _app;

    /// <summary>Makes the database, starts the servers, and starts the app unless told otherwise.</summary>
    /// <param name="servers">Postgres and storage.</param>
    /// <param name="name">Names the database and the logs: lower-case letters, digits and <c>-</c>.</param>
    /// <param name="options">What is special about it.</param>
    /// <param name="startApp">Whether the app is started too.</param>
    public static async Task<Platform> StartAsync(TestServers servers, string name, PlatformOptions options, bool startApp = true)
    {
        var platform = new Platform(servers, name, options);
        try
        {
            await platform.PrepareAsync();
            if (startApp)
                await platform.StartAppAsync();
            return platform;
        }
        catch
        {
            await platform.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts the app, or starts it again, and returns when it takes requests.</summary>
    /// <param name="environment">Variables for this start only.</param>
    public async Task StartAppAsync(IReadOnlyDictionary<string, string>? environment = null)
    {
        var folder = Path.Combine(_folder, "app");
        var host = OnCoreTools ? Programs.CoreTools(folder, AppPort) : Programs.Host(folder, AppPort);
        var command = host.With(_options.Environment).With(environment ?? new Dictionary<string, string>());
        _app = ChildProcess.Start($"app-{_name}", command, _servers.Logs);
        await Eventually.AnswersAsync(_app, new Uri(AppAddress, "/health/ready"), Patience);
    }

    /// <summary>Ends host and worker as a power failure would.</summary>
    public async Task KillAppAsync()
    {
        if (_app is not { } app)
            return;
        _app = null;
        await app.KillAsync(withChildren: true);
        await app.DisposeAsync();
    }

    /// <summary>Asks the app to stop and waits until it has.</summary>
    public async Task StopAppAsync()
    {
        if (_app is not { } app)
            return;
        _app = null;
        await app.StopAsync();
        await app.DisposeAsync();
    }

    /// <summary>The process id of the app's worker, as the host reports it.</summary>
    public async Task<int> WorkerIdAsync()
    {
        using var http = new HttpClient();
        var status = await http.GetFromJsonAsync<JsonObject>(new Uri(AppAddress, "/admin/host/status"));
        return status!["workerProcessId"]!.GetValue<int>();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in (ChildProcess?[])[_app, _acquirer, _bus])
        {
            if (process is not null)
                await process.DisposeAsync();
        }

        await using var connection = new NpgsqlConnection(_servers.Admin + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The name is made above.
        command.CommandText = $"DROP DATABASE IF EXISTS {_database} WITH (FORCE)";
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync();
    }

    private async Task PrepareAsync()
    {
        Directory.CreateDirectory(_folder);
        await ChildProcess.RunAsync($"migrate-{_name}", Programs.Migrate(Logins), _servers.Logs);
        if (Transport == Transports.ServiceBus)
        {
            var port = FreePorts.Take();
            _bus = ChildProcess.Start($"servicebus-{_name}", Programs.ServiceBus(port, data: null), _servers.Logs);
            await Eventually.ListensAsync(_bus, port, Patience);
            ServiceBus = Programs.ServiceBusConnectionString(port);
        }

        if (_options.Acquirer is { } acquirer)
        {
            AcquirerAddress = acquirer.Address;
        }
        else
        {
            var port = _options.AcquirerPort ?? FreePorts.Take();
            AcquirerAddress = new Uri($"http://127.0.0.1:{port}");
            var webhooks = _options.AcquirerSendsWebhooks ? new Uri(AppAddress, "/webhooks/sandbox") : null;
            _acquirer = ChildProcess.Start($"acquirer-{_name}", Programs.Acquirer(port, Secrets, Path.Combine(_folder, "acquirer"), webhooks), _servers.Logs);
            await Eventually.AnswersAsync(_acquirer, new Uri(AcquirerAddress, "/health"), Patience);
        }

        var surroundings = new AppSurroundings(Storage, Logins.App, AcquirerAddress, Secrets)
        {
            Transport = Transport,
            ServiceBus = ServiceBus,
            PlatformKeyName = "test",
        };
        Programs.CopyApp(Path.Combine(_folder, "app"), AppSettings.Compose(surroundings, _options.Settings));
    }
}
