using Npgsql;
using Payments.Domain.Database;
using Payments.Kit;

[assembly: AssemblyFixture(typeof(Payments.Postgres.Tests.TestServer))]

namespace Payments.Postgres.Tests;

/// <summary>
/// The Postgres and the storage account that the tests run on, and the migrated template that each test class clones. <c>PAYMENTS_TEST_POSTGRES</c> names
/// another server: a login that may create roles and databases.
/// </summary>
public sealed class TestServer : IAsyncLifetime
{
    private const string OwnerLogin = "payments_test_owner";
    private const string AppLogin = "payments_test_app";

    // Guards nothing: these logins can touch databases that only tests make.
    private const string Password = "payments-test";

    private readonly SemaphoreSlim _gate = new(1);
    private readonly string _run = $"payments_test_{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}";
    private TestServers? _servers;
    private Task? _template;
    private int _clones;

    /// <summary>The connection string of a storage account, which all tests share.</summary>
    public static string Storage { get; private set; } = "";

    public string OwnerOf(string database) => Login(OwnerLogin, database);

    public string AppOf(string database) => Login(AppLogin, database);

    /// <summary>A fresh database with every migration applied.</summary>
    public async Task<string> CloneAsync()
    {
        await _gate.WaitAsync();
        try
        {
            await (_template ??= CreateTemplateAsync());
            var name = $"{_run}_{++_clones}";
            await ExecuteAsync($"CREATE DATABASE {name} TEMPLATE {_run} OWNER payments_owner");
            return name;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>An empty database that the owner may migrate.</summary>
    public async Task<string> CreateEmptyAsync()
    {
        await DatabaseBootstrap.EnsureRolesAsync(new(Admin()), new(OwnerOf("postgres")), new(AppOf("postgres")));
        var name = $"{_run}_e{Interlocked.Increment(ref _clones)}";
        await ExecuteAsync($"CREATE DATABASE {name} OWNER payments_owner");
        return name;
    }

    public Task DropAsync(string database) => ExecuteAsync($"DROP DATABASE IF EXISTS {database} WITH (FORCE)");

    public string Admin() => _servers!.Admin;

    public async ValueTask InitializeAsync()
    {
        _servers = await TestServers.StartAsync("postgres", storage: true);
        Storage = _servers.Storage;
    }

    public async ValueTask DisposeAsync()
    {
        if (_template is not null)
            await DropAsync(_run);
        if (_servers is not null)
            await _servers.DisposeAsync();
        _gate.Dispose();
    }

    private async Task CreateTemplateAsync()
    {
        await DatabaseBootstrap.EnsureRolesAsync(new(Admin()), new(OwnerOf("postgres")), new(AppOf("postgres")));
        await ExecuteAsync($"CREATE DATABASE {_run} OWNER payments_owner");
        await using var owner = PaymentsDataSource.Create(OwnerOf(_run) + ";Pooling=false");
        await new Migrator(owner, TimeProvider.System).ApplyAsync();
    }

    private string Login(string user, string database) =>
        new NpgsqlConnectionStringBuilder(Admin()) { Username = user, Password = Password, Database = database }.ConnectionString;

    private async Task ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(Admin()) { Pooling = false }.ConnectionString);
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
#pragma warning disable CA2100 // Every name in it is made above.
        command.CommandText = sql;
#pragma warning restore CA2100

        // Copying a template is work for the disk, which other processes may have.
        command.CommandTimeout = 180;
        await command.ExecuteNonQueryAsync();
    }
}

/// <summary>A database of its own for a test class (<c>IClassFixture&lt;TestDatabase&gt;</c>), dropped after it.</summary>
public sealed class TestDatabase(TestServer server) : IAsyncLifetime
{
    private string? _name;
    private NpgsqlDataSource? _app;
    private NpgsqlDataSource? _owner;

    /// <summary>Logged in as the app is: it reads and writes, and changes no schema.</summary>
    public NpgsqlDataSource App => Open(ref _app, () => server.AppOf(Name));

    /// <summary>Logged in as a member of the owner of every object.</summary>
    public NpgsqlDataSource Owner => Open(ref _owner, () => server.OwnerOf(Name), resetSessions: true);

    public string AppConnectionString => server.AppOf(Name);

    public string OwnerConnectionString => server.OwnerOf(Name);

    private string Name => _name!;

    public async ValueTask InitializeAsync() => _name = await server.CloneAsync();

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
            await _app.DisposeAsync();
        if (_owner is not null)
            await _owner.DisposeAsync();
        if (_name is not null)
            await server.DropAsync(_name);
    }

    // Tests of guards and tampering change settings and roles as the owner.
    private static NpgsqlDataSource Open(ref NpgsqlDataSource? dataSource, Func<string> connectionString, bool resetSessions = false) =>
        dataSource ??= PaymentsDataSource.Create(connectionString(), resetSessions: resetSessions);
}
