namespace Payments.Kit;

/// <summary>
/// Postgres and Azurite of one test assembly, on free ports, and the machine to itself while they run. <c>PAYMENTS_TEST_POSTGRES</c> names another server
/// (an administrator's connection string). <c>PAYMENTS_TEST_LOGS</c> names the folder of logs, which is otherwise deleted with the rest.
/// </summary>
public sealed class TestServers : IAsyncDisposable
{
    private readonly MachineTurn _turn;
    private EmbeddedPostgres? _postgres;
    private Azurite? _azurite;

    private TestServers(MachineTurn turn, string folder, string logs) => (_turn, Folder, Logs) = (turn, folder, logs);

    /// <summary>A folder for the test run's files, deleted at its end.</summary>
    public string Folder { get; }

    /// <summary>The folder of the logs of all processes.</summary>
    public string Logs { get; }

    public Secrets Secrets { get; } = Secrets.Create();

    /// <summary>The connection string of the database server's administrator.</summary>
    public string Admin { get; private set; } = "";

    /// <summary>The connection string of the storage account; empty if the test assembly asked for none.</summary>
    public string Storage => _azurite?.ConnectionString ?? "";

    /// <summary>The embedded server; null where <c>PAYMENTS_TEST_POSTGRES</c> names another.</summary>
    public EmbeddedPostgres? Postgres => _postgres;

    /// <param name="name">The test assembly's short name, for its folder of logs.</param>
    /// <param name="storage">Whether the tests need a storage account.</param>
    /// <param name="settings">Settings of Postgres (<c>name=value</c>).</param>
    public static async Task<TestServers> StartAsync(string name, bool storage, params IEnumerable<string> settings)
    {
        await Tools.InstallAsync();
        var turn = await MachineTurn.WaitAsync("tests");
        var folder = Path.Combine(Repository.Data, $"test-{name}-{Environment.ProcessId}");
        Directory.CreateDirectory(folder);
        var logs = Environment.GetEnvironmentVariable("PAYMENTS_TEST_LOGS") is { Length: > 0 } named ? Path.Combine(named, name) : Path.Combine(folder, "logs");
        Directory.CreateDirectory(logs);
        var servers = new TestServers(turn, folder, logs);
        try
        {
            await servers.StartAsync(storage, [.. settings]);
            return servers;
        }
        catch
        {
            await servers.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_azurite is not null)
            await _azurite.DisposeAsync();
        if (_postgres is not null)
        {
            await _postgres.DisposeAsync();
            _postgres.Remove();
        }

        if (Directory.Exists(Folder))
            Directory.Delete(Folder, recursive: true);
        _turn.Dispose();
    }

    private async Task StartAsync(bool storage, string[] settings)
    {
        // A later check reads this file and looks for the secrets in everything that the tests printed.
        if (Environment.GetEnvironmentVariable("PAYMENTS_TEST_SECRETS") is { Length: > 0 } file)
            await File.AppendAllLinesAsync(file, Secrets.All);

        Admin = Environment.GetEnvironmentVariable("PAYMENTS_TEST_POSTGRES") ?? "";
        if (Admin.Length == 0)
        {
            // Nothing of this server is kept, so it need not wait for the disk.
            _postgres = await EmbeddedPostgres.PrepareAsync(
                Path.Combine(Folder, "postgres"), FreePorts.Take(), Secrets.PostgresPassword, Logs,
                ["fsync=off", "full_page_writes=off", "max_connections=300", .. settings]);
            await _postgres.StartAsync();
            Admin = _postgres.Admin;
        }

        if (storage)
            _azurite = await Azurite.StartAsync(Logs);
    }
}
