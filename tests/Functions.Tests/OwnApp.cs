using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Npgsql;

#pragma warning disable CA2100 // The tests' own statements.

namespace Payments.Functions.Tests;

/// <summary>
/// The app once more, with a database and queues of its own, to be killed where it stands. The acquirer is the common one; its webhooks go elsewhere, so that
/// only what a test sends comes in.
/// </summary>
internal sealed class OwnApp : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("payments-app-").FullName;
    private readonly int _port = FreePort();
    private readonly RunningApp _shared;
    private readonly string _admin;
    private readonly string _database;
    private Process? _storage;
    private Process? _app;

    private OwnApp(RunningApp shared, string admin)
    {
        _shared = shared;
        _admin = admin;
        _database = $"payments_killed_{RunningApp.NewKey()}";
    }

    public Uri Address => new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{_port}"));

    /// <summary>Skips the test where the app is somebody else's: deployed, or on Core Tools.</summary>
    public static async Task<OwnApp> StartAsync(RunningApp shared)
    {
        var admin = Environment.GetEnvironmentVariable("PAYMENTS_TEST_POSTGRES");
        Assert.SkipWhen(string.IsNullOrEmpty(admin) || !File.Exists(Built("local/selfhost", "Payments.SelfHost.dll")), "There is no build of the app that serves itself.");
        var own = new OwnApp(shared, admin!);
        try
        {
            await own.PrepareAsync();
            await own.StartAsync();
            return own;
        }
        catch
        {
            await own.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts it, or starts it again, and returns when it takes requests.</summary>
    public async Task StartAsync()
    {
        _app = Run(Path.Combine(_folder, "app"), "dotnet", "Payments.Functions.dll", "--port", _port.ToString(CultureInfo.InvariantCulture));
        using var http = new HttpClient();
        await UntilAsync("the app is ready", async () =>
        {
            Assert.False(_app.HasExited, "The app ended while it started.");
            try
            {
                using var answer = await http.GetAsync(new Uri(Address, "/health/ready"));
                return answer.IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        });
    }

    /// <summary>Ends the process as a power failure would: nothing is finished, nothing is flushed.</summary>
    public async Task KillAsync()
    {
        _app!.Kill();
        await _app.WaitForExitAsync();
        _app.Dispose();
        _app = null;
    }

    public async Task<NpgsqlConnection> ConnectAsync()
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(_admin) { Database = _database, Pooling = false }.ConnectionString);
        await connection.OpenAsync();
        return connection;
    }

    /// <summary>Locks a table, so that whatever of the app writes to it stops there until the lock is disposed.</summary>
    public async Task<IAsyncDisposable> HoldAsync(string table)
    {
        var connection = await ConnectAsync();
        await using var command = new NpgsqlCommand($"BEGIN; LOCK TABLE payments.{table} IN EXCLUSIVE MODE", connection);
        await command.ExecuteNonQueryAsync();
        return connection;
    }

    /// <summary>Returns when a statement that touches the table waits for a lock.</summary>
    public async Task UntilBlockedAsync(string table)
    {
        await using var connection = await ConnectAsync();
        await UntilAsync($"something waits for {table}", async () =>
        {
            await using var command = new NpgsqlCommand(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%payments.' || $1 || '%'", connection);
            command.Parameters.Add(new NpgsqlParameter { Value = table });
            return (long)(await command.ExecuteScalarAsync())! > 0;
        });
    }

    public async Task<long> CountAsync(string from)
    {
        await using var connection = await ConnectAsync();
        await using var command = new NpgsqlCommand($"SELECT count(*) FROM {from}", connection);
        return (long)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Looks again and again; longer than elsewhere, as what a killed process had leased comes free when the lease ends.</summary>
    public static async Task UntilAsync(string what, Func<Task<bool>> holds)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(4));
        while (!await holds())
        {
            Assert.False(deadline.IsCancellationRequested, $"Not in time: {what}.");
            await Task.Delay(100);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in new[] { _app, _storage }.OfType<Process>())
        {
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }

        await using (var connection = new NpgsqlConnection(_admin))
        {
            await connection.OpenAsync();
            await using var command = new NpgsqlCommand($"DROP DATABASE IF EXISTS {_database} WITH (FORCE)", connection);
            await command.ExecuteNonQueryAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private async Task PrepareAsync()
    {
        var ports = (Blob: FreePort(), Queue: FreePort(), Table: FreePort());
        _storage = Run(
            _folder, "node", Path.Combine(Contract.Repository.Root, "local/node_modules/azurite/dist/src/azurite.js"), "--silent", "--skipApiVersionCheck", "--disableTelemetry",
            "--inMemoryPersistence", "--blobHost", "127.0.0.1", "--blobPort", $"{ports.Blob}", "--queueHost", "127.0.0.1", "--queuePort", $"{ports.Queue}", "--tableHost", "127.0.0.1",
            "--tablePort", $"{ports.Table}");

        // The password of the logins that ./test made serves: they are the same server's.
        var login = new NpgsqlConnectionStringBuilder(Environment.GetEnvironmentVariable("PAYMENTS_TEST_APP_POSTGRES")) { Database = _database }.ConnectionString;
        var owner = new NpgsqlConnectionStringBuilder(Environment.GetEnvironmentVariable("PAYMENTS_TEST_OWNER_POSTGRES")) { Database = _database }.ConnectionString;
        var migrate = new ProcessStartInfo("dotnet", [Built("domain.migrate", "Payments.Migrate.dll"), "apply", "--bootstrap"]) { RedirectStandardOutput = true };
        migrate.Environment["ConnectionStrings__Postgres"] = login;
        migrate.Environment["ConnectionStrings__PostgresOwner"] = owner;
        migrate.Environment["ConnectionStrings__PostgresAdmin"] = _admin;
        using (var process = Process.Start(migrate)!)
        {
            await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            Assert.Equal(0, process.ExitCode);
        }

        // From a copy, so that a build does not pull its files away.
        var app = Path.Combine(_folder, "app");
        Copy(Path.GetDirectoryName(Built("functions", "Payments.Functions.dll"))!, app);
        var settings = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(Contract.Repository.Root, "local.settings.sample.json")))!;
        var values = settings["Values"]!;
        values["AzureWebJobsStorage"] =
            "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
            + $"BlobEndpoint=http://127.0.0.1:{ports.Blob}/devstoreaccount1;QueueEndpoint=http://127.0.0.1:{ports.Queue}/devstoreaccount1;TableEndpoint=http://127.0.0.1:{ports.Table}/devstoreaccount1;";
        values["ConnectionStrings__Postgres"] = login;
        values["Platform__ApiKeyHashes"] = "test:" + Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(_shared.PlatformKey)));
        values["Providers__Sandbox__BaseAddress"] = _shared.AcquirerAddress.ToString();
        values["Providers__Sandbox__ApiKey"] = _shared.AcquirerKey;
        values["Webhooks__Inbound__sandbox__Secret"] = _shared.WebhookSecret;
        values["Secrets__Keys__local"] = Convert.ToBase64String(new byte[32]);

        // What a killed process had taken comes free soon.
        values["SelfHost__QueueLease"] = "00:00:03";
        values["Webhooks__Lease"] = "00:00:09";
        values["Webhooks__Timeout"] = "00:00:03";
        await File.WriteAllTextAsync(Path.Combine(app, "local.settings.json"), settings.ToJsonString());
    }

    private static Process Run(string folder, string program, params string[] arguments)
    {
        // What ./test set for its own app is not for this one.
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var name in start.Environment.Keys.Where(name => name.Contains("__", StringComparison.Ordinal) || name.StartsWith("OTEL_", StringComparison.Ordinal)).ToArray())
            start.Environment.Remove(name);
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    // tests/Functions.Tests/bin/Release/net10.0: the others are built beside it.
    private static string Built(string project, string file)
    {
        var output = new DirectoryInfo(AppContext.BaseDirectory);
        return Path.Combine(Contract.Repository.Root, project, "bin", output.Parent!.Name, output.Name, file);
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in Directory.EnumerateFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        foreach (var folder in Directory.EnumerateDirectories(from))
            Copy(folder, Path.Combine(to, Path.GetFileName(folder)));
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
