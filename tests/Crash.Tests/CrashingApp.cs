using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Payments.Domain.Database;
using Payments.Kit;

namespace Payments.Crash.Tests;

/// <summary>
/// The published app under the Functions host, with the hook that kills it, on a database of its own, beside an acquirer of its own. The acquirer sends no webhooks here: what was lost has to be
/// found by asking.
/// </summary>
internal sealed class CrashingApp : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(60) };
    private readonly TestServers _servers;
    private readonly int _port = FreePorts.Take();
    private readonly int _acquirerPort = FreePorts.Take();
    private ChildProcess? _acquirer;
    private ChildProcess? _host;
    private int _worker;

    private CrashingApp(TestServers servers)
    {
        _servers = servers;
        Logins = DatabaseLogins.On(servers.Admin, "payments_crash", "crash", servers.Secrets);
    }

    private string AppFolder => Path.Combine(_servers.Folder, "app");

    private DatabaseLogins Logins { get; }

    public static async Task<CrashingApp> PrepareAsync()
    {
        var app = new CrashingApp(await TestServers.StartAsync("Crash.Tests", storage: true));
        try
        {
            await app.StartAcquirerAsync();
            return app;
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts the app; its worker kills itself when an operation reaches the point.</summary>
    /// <param name="crashAt"><c>operation:point</c>, or null to live on. Only then is what was left behind asked about: on a slow machine the first case is a minute old before the last one crashes.</param>
    public async Task StartAsync(string? crashAt)
    {
        _host = ChildProcess.Start("app", Programs.Host(AppFolder, _port).With(
        [
            new("DOTNET_STARTUP_HOOKS", typeof(TestHooks.Bugs.Mutations).Assembly.Location),
            new("PAYMENTS_CRASH_AT", crashAt ?? ""),
            new("AzureWebJobs.ResolveAttempts.Disabled", crashAt is null ? "false" : "true"),
        ]), _servers.Logs);
        await Eventually.AnswersAsync(_host, new Uri($"http://127.0.0.1:{_port}/health/ready"), Patience);
        var status = JsonNode.Parse(await _http.GetStringAsync(new Uri($"http://127.0.0.1:{_port}/admin/host/status")))!;
        _worker = status["workerProcessId"]!.GetValue<int>();
    }

    /// <summary>Waits for the worker to have killed itself, and ends the host before it serves with another.</summary>
    public async Task DiedAsync()
    {
        await Eventually.HoldsAsync(() => Task.FromResult(!IsRunning(_worker)), Patience, "the worker is dead");
        await _host!.DisposeAsync();
        _host = null;
    }

    /// <summary>Null when the app died before it answered.</summary>
    public async Task<(int Status, string Body, bool Replayed)?> PostAsync(string path, string? key, string idempotencyKey, object body)
    {
        using var request = Request(HttpMethod.Post, _port, path, key ?? _servers.Secrets.PlatformKey);
        request.Headers.Add("Idempotency-Key", idempotencyKey);
        request.Content = new StringContent(JsonSerializer.Serialize(body), Encoding.UTF8, "application/json");
        try
        {
            using var response = await _http.SendAsync(request);

            var text = await response.Content.ReadAsStringAsync();

            // The host's answer for a worker that is gone; the app's own answers have a body.
            if (response.StatusCode is HttpStatusCode.InternalServerError && text.Length == 0)
                return null;
            return ((int)response.StatusCode, text, response.Headers.Contains("Idempotent-Replayed"));
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    public async Task<JsonNode> GetAsync(string path, string? key = null)
    {
        using var request = Request(HttpMethod.Get, _port, path, key ?? _servers.Secrets.PlatformKey);
        using var response = await _http.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
    }

    /// <summary>What the acquirer really did, summed up for each payment of ours.</summary>
    public async Task<IReadOnlyList<JsonNode>> EffectsAsync()
    {
        using var request = Request(HttpMethod.Get, _acquirerPort, "/control/summary?group_by=reference", _servers.Secrets.AcquirerKey);
        using var response = await _http.SendAsync(request);
        var lines = await response.Content.ReadAsStringAsync();
        return [.. lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)];
    }

    /// <summary>Lets eleven minutes pass for the attempts that are open: they are asked about now, and what never arrived counts as such.</summary>
    public async Task LetTimePassAsync()
    {
        await using var owner = PaymentsDataSource.Create(Logins.Owner + ";Pooling=false");
        await using var command = owner.CreateCommand(
            "SELECT payments.record_first_attempts('infinity', 1000); UPDATE payments.attempts SET next_check_at = created_at, created_at = created_at - interval '11 minutes' WHERE next_check_at IS NOT NULL");
        await command.ExecuteNonQueryAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in (ChildProcess?[])[_host, _acquirer])
        {
            if (process is not null)
                await process.DisposeAsync();
        }

        _http.Dispose();
        await _servers.DisposeAsync();
    }

    private async Task StartAcquirerAsync()
    {
        var (secrets, logs) = (_servers.Secrets, _servers.Logs);
        await ChildProcess.RunAsync("migrate", Programs.Migrate(Logins), logs);
        var surroundings = new AppSurroundings(_servers.Storage, Logins.App, new Uri($"http://127.0.0.1:{_acquirerPort}"), secrets) { PlatformKeyName = "test" };
        Programs.CopyApp(AppFolder, AppSettings.Compose(surroundings, [new("Charges__ResolveSchedule", "* * * * * *")]));
        _acquirer = ChildProcess.Start("acquirer", Programs.Acquirer(_acquirerPort, secrets, Path.Combine(_servers.Folder, "acquirer"), webhooks: null), logs);
        await Eventually.AnswersAsync(_acquirer, new Uri($"http://127.0.0.1:{_acquirerPort}/health"), Patience);
    }

    private static bool IsRunning(int pid)
    {
        try
        {
            using var process = Process.GetProcessById(pid);
            return !process.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    private static HttpRequestMessage Request(HttpMethod method, int port, string path, string key)
    {
        var request = new HttpRequestMessage(method, new Uri($"http://127.0.0.1:{port}{path}"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return request;
    }
}
