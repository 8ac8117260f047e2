using Npgsql;
using Payments.Domain;
using Payments.Domain.Database;
using Payments.Kit;

namespace Payments.Faults;

/// <summary>A Postgres server of the run's own, which faults stop and start. Its databases are copies of one migrated template.</summary>
internal sealed class PostgresServer : IAsyncDisposable
{
    private const string Owner = "payments_faults_owner";
    private const string App = "payments_faults_app";

    // The password protects nothing: these logins can use only databases of fault runs.
    private const string Password = "payments-faults";
    private const string Template = "payments_faults";

    private readonly EmbeddedPostgres _server;
    private readonly SemaphoreSlim _gate = new(1);

    private PostgresServer(EmbeddedPostgres server) => _server = server;

    public int Port => _server.Port;

    public static async Task<PostgresServer> StartAsync(string data, string logs)
    {
        string[] settings = ["shared_buffers=128MB", "log_min_messages=fatal", .. OperatingSystem.IsLinux() ? ["recovery_init_sync_method=syncfs"] : (string[])[]];
        var server = new PostgresServer(await EmbeddedPostgres.PrepareAsync(data, FreePorts.Take(), Secrets.Create().PostgresPassword, logs, settings));
        await server._server.StartAsync();
        await DatabaseBootstrap.RunAsync(new(server._server.Admin), new(server.Login(Owner, Template)), new(server.Login(App, Template)));
        await using var owner = PaymentsDataSource.Create(server.OwnerOf(Template) + ";Pooling=false", resetSessions: true);
        await new Migrator(owner, new PlatformClock()).ApplyAsync();
        await Coverage.WatchAsync(owner, CancellationToken.None);
        return server;
    }

    public string OwnerOf(string database) => Login(Owner, database);

    /// <summary>The app's connection string, through a port that may be a proxy's.</summary>
    public string AppOf(string database, int port) =>
        new NpgsqlConnectionStringBuilder(Login(App, database)) { Port = port, MaxPoolSize = 40, Timeout = 5, CommandTimeout = 10 }.ConnectionString;

    /// <summary>Stops the server and starts it again. Committed data survives.</summary>
    /// <param name="immediate">True aborts the server, so that it must recover. False ends its sessions first.</param>
    public async Task RestartAsync(bool immediate, TimeSpan down)
    {
        await _gate.WaitAsync();
        try
        {
            await _server.StopAsync(immediate ? "QUIT" : "INT");
            await Task.Delay(down);
            await _server.StartAsync();
        }
        finally
        {
            _gate.Release();
        }
    }

    public Task CreateAsync(string database) => ExecuteAsync($"CREATE DATABASE {database} TEMPLATE {Template} OWNER payments_owner");

    public Task DropAsync(string database) => ExecuteAsync($"DROP DATABASE IF EXISTS {database} WITH (FORCE)");

    /// <summary>Terminates the app's sessions on a database.</summary>
    public Task DropConnectionsAsync(string database) =>
        ExecuteAsync($"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}' AND usename = '{App}'");

    /// <summary>Delays every commit, as a slow disk does. Zero ends the delay.</summary>
    public async Task SlowCommitsAsync(TimeSpan by)
    {
        await ExecuteAsync($"ALTER SYSTEM SET commit_delay = {(int)Math.Min(100_000, by.TotalMicroseconds)}");
        await ExecuteAsync($"ALTER SYSTEM SET commit_siblings = {(by > TimeSpan.Zero ? 0 : 5)}");
        await ExecuteAsync("SELECT pg_reload_conf()");
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _gate.Dispose();
    }

    /// <summary>Deletes the data of the server, once it is stopped.</summary>
    public void Remove() => _server.Remove();

    private async Task ExecuteAsync(string sql)
    {
        // Waits until a restart of the server has ended.
        await _gate.WaitAsync();
        try
        {
            await using var connection = new NpgsqlConnection(_server.Admin + ";Pooling=false");
            await connection.OpenAsync();
            await using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The run's own statements.
            command.CommandText = sql;
#pragma warning restore CA2100
            await command.ExecuteNonQueryAsync();
        }
        finally
        {
            _gate.Release();
        }
    }

    private string Login(string user, string database) =>
        new NpgsqlConnectionStringBuilder(_server.Admin) { Username = user, Password = Password, Database = database }.ConnectionString;
}
