using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Npgsql;
using Payments.Domain.Database;

namespace Payments.Crash.Tests;

/// <summary>
/// The app with the hook that kills it, on a database of its own, beside an acquirer of its own. The acquirer sends no webhooks here: what was lost has to be
/// found by asking.
/// </summary>
internal sealed class CrashingApp : IAsyncDisposable
{
    private const string Owner = "payments_crash_owner";
    private const string AppLogin = "payments_crash_app";

    // Guards nothing: these logins can touch databases that only tests make.
    private const string Password = "payments-test";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(60) };
    private readonly string _folder = Directory.CreateTempSubdirectory("payments-crash").FullName;
    private readonly string _admin;
    private readonly string _database = "payments_crash_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6));
    private readonly int _port = FreePort();
    private readonly int _acquirerPort = FreePort();
    private readonly string _platformKey = "pk_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24));
    private readonly string _acquirerKey = "ak_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24));
    private Process? _acquirer;
    private Process? _app;

    private CrashingApp(string admin) => _admin = admin;

    public static async Task<CrashingApp> PrepareAsync()
    {
        var app = new CrashingApp(Required("PAYMENTS_TEST_POSTGRES"));
        try
        {
            await DatabaseBootstrap.RunAsync(new(app._admin), new(app.Login(Owner)), new(app.Login(AppLogin)));
            await using (var owner = PaymentsDataSource.Create(app.Login(Owner) + ";Pooling=false"))
                await new Migrator(owner, TimeProvider.System).ApplyAsync();
            var settings = app.CopyApp();
            await File.WriteAllTextAsync(Path.Combine(app._folder, "app", "local.settings.json"), settings);
            var root = Root();
            app._acquirer = Start(Path.Combine(root, "local", "acquirer", "bin", Configuration(), "net10.0"), "Payments.Acquirer.dll", [], new()
            {
                ["Acquirer__Port"] = app._acquirerPort.ToString(CultureInfo.InvariantCulture),
                ["Acquirer__ApiKey"] = app._acquirerKey,
                ["Acquirer__DataDirectory"] = Path.Combine(app._folder, "acquirer"),
            });
            await app.AnswersAsync(app._acquirerPort, "/health", app._acquirer);
            return app;
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts the app; it kills itself when an operation reaches the point.</summary>
    /// <param name="crashAt"><c>operation:point</c>, or null to live on. Only then is what was left behind asked about: on a slow machine the first case is a minute old before the last one crashes.</param>
    public async Task StartAsync(string? crashAt)
    {
        _app = Start(Path.Combine(_folder, "app"), "Payments.Functions.dll", ["--port", _port.ToString(CultureInfo.InvariantCulture)], new()
        {
            ["DOTNET_STARTUP_HOOKS"] = typeof(TestHooks.Bugs.Mutations).Assembly.Location,
            ["PAYMENTS_CRASH_AT"] = crashAt ?? "",
            ["AzureWebJobs.ResolveAttempts.Disabled"] = crashAt is null ? "false" : "true",
        });
        await AnswersAsync(_port, "/health/ready", _app);
    }

    /// <summary>Waits for the app to have killed itself.</summary>
    public async Task DiedAsync()
    {
        using var limit = new CancellationTokenSource(Patience);
        await _app!.WaitForExitAsync(limit.Token);
        Assert.NotEqual(0, _app.ExitCode);
        _app.Dispose();
        _app = null;
    }

    /// <summary>Null when the app died before it answered.</summary>
    public async Task<(int Status, string Body, bool Replayed)?> PostAsync(string path, string? key, string idempotencyKey, object body)
    {
        using var request = Request(HttpMethod.Post, _port, path, key ?? _platformKey);
        request.Headers.Add("Idempotency-Key", idempotencyKey);
        request.Content = new StringContent(JsonSerializer.Serialize(body), Encoding.UTF8, "application/json");
        try
        {
            using var response = await _http.SendAsync(request);
            return ((int)response.StatusCode, await response.Content.ReadAsStringAsync(), response.Headers.Contains("Idempotent-Replayed"));
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    public async Task<JsonNode> GetAsync(string path, string? key = null)
    {
        using var request = Request(HttpMethod.Get, _port, path, key ?? _platformKey);
        using var response = await _http.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
    }

    /// <summary>What the acquirer really did, summed up for each payment of ours.</summary>
    public async Task<IReadOnlyList<JsonNode>> EffectsAsync()
    {
        using var request = Request(HttpMethod.Get, _acquirerPort, "/control/summary?group_by=reference", _acquirerKey);
        using var response = await _http.SendAsync(request);
        var lines = await response.Content.ReadAsStringAsync();
        return [.. lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)];
    }

    /// <summary>Lets eleven minutes pass for the attempts that are open: they are asked about now, and what never arrived counts as such.</summary>
    public async Task LetTimePassAsync()
    {
        await using var owner = PaymentsDataSource.Create(Login(Owner) + ";Pooling=false");
        await using var command = owner.CreateCommand(
            "SELECT payments.record_first_attempts('infinity', 1000); UPDATE payments.attempts SET next_check_at = created_at, created_at = created_at - interval '11 minutes' WHERE next_check_at IS NOT NULL");
        await command.ExecuteNonQueryAsync();
    }

    public static async Task EventuallyAsync(Func<Task<bool>> holds, string what)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!await holds())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < Patience, $"Not within {Patience.TotalSeconds} s: {what}.");
            await Task.Delay(200);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in (Process?[])[_app, _acquirer])
        {
            if (process is null)
                continue;
            if (!process.HasExited)
            {
                process.Kill();
                await process.WaitForExitAsync();
            }

            process.Dispose();
        }

        _http.Dispose();
        await using (var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(_admin) { Pooling = false }.ConnectionString))
        {
            await connection.OpenAsync();
            await using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The name is made above.
            command.CommandText = $"DROP DATABASE IF EXISTS {_database} WITH (FORCE)";
#pragma warning restore CA2100
            await command.ExecuteNonQueryAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private string CopyApp()
    {
        var root = Root();
        var built = Path.Combine(root, "functions", "bin", Configuration(), "net10.0");
        if (!File.Exists(Path.Combine(built, "Payments.Functions.dll")))
            throw new InvalidOperationException("The app is not built: ./test builds it.");
        foreach (var file in Directory.EnumerateFiles(built, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(_folder, "app", Path.GetRelativePath(built, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        File.Copy(Path.Combine(root, "host.json"), Path.Combine(_folder, "app", "host.json"), overwrite: true);
        var settings = JsonNode.Parse(File.ReadAllText(Path.Combine(root, "local.settings.sample.json")))!;
        var values = settings["Values"]!;
        values["AzureWebJobsStorage"] = Required("PAYMENTS_TEST_STORAGE");
        values["ConnectionStrings__Postgres"] = Login(AppLogin);
        values["Platform__ApiKeyHashes"] = "test:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(_platformKey)));
        values["Providers__Sandbox__BaseAddress"] = $"http://127.0.0.1:{_acquirerPort}";
        values["Providers__Sandbox__ApiKey"] = _acquirerKey;
        values["Webhooks__Inbound__sandbox__Secret"] = "whsec_" + Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
        values["Secrets__Keys__local"] = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
        values["Charges__ResolveSchedule"] = "* * * * * *";

        // The storage is shared with other tests; their ledgers' seals are not this one's.
        values["AzureWebJobs.KeepSeals.Disabled"] = "true";
        return settings.ToJsonString();
    }

    private static Process Start(string folder, string assembly, string[] arguments, Dictionary<string, string> environment)
    {
        var start = new ProcessStartInfo("dotnet", [assembly, .. arguments]) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        var process = Process.Start(start)!;

        // Somebody has to read it, or the pipe fills.
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private Task AnswersAsync(int port, string path, Process process) => EventuallyAsync(
        async () =>
        {
            Assert.False(process.HasExited, $"The process ended with {(process.HasExited ? process.ExitCode : 0)} before it answered.");
            try
            {
                using var response = await _http.GetAsync(new Uri($"http://127.0.0.1:{port}{path}"));
                return response.StatusCode is HttpStatusCode.OK;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        },
        $"{path} answers");

    private static HttpRequestMessage Request(HttpMethod method, int port, string path, string key)
    {
        var request = new HttpRequestMessage(method, new Uri($"http://127.0.0.1:{port}{path}"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return request;
    }

    private string Login(string user) => new NpgsqlConnectionStringBuilder(_admin) { Username = user, Password = Password, Database = _database }.ConnectionString;

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static string Required(string variable)
    {
        if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value)
            return value;
        if (Environment.GetEnvironmentVariable("CI") is { Length: > 0 })
            throw new InvalidOperationException($"{variable} is missing: ./test sets it.");
        Assert.Skip($"{variable} is not set: ./test starts what these tests need.");
        return "";
    }

    private static string Root()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Functions.sln")))
            folder = Path.GetDirectoryName(folder) ?? throw new DirectoryNotFoundException("Functions.sln is not above the tests.");
        return folder;
    }

    // tests/Crash.Tests/bin/<configuration>/net10.0/
    private static string Configuration() => Path.GetFileName(Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)))!;
}
