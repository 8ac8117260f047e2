using System.Net.Http.Headers;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Payments.Functions.Tests.Contract;
using Payments.Functions.Tests.Transcripts;
using Payments.Kit;

[assembly: AssemblyFixture(typeof(Payments.Functions.Tests.RunningApp))]

namespace Payments.Functions.Tests;

/// <summary>
/// The app under test: started by the kit under the local host, with servers of its own, or already running somewhere (on Core Tools, on Microsoft's host,
/// deployed) where <c>PAYMENTS_TEST_APP_URL</c> and its companions name it. Tests know it by its address and keys alone.
/// </summary>
public sealed class RunningApp : IAsyncLifetime
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly HttpClient _http = Transcript.Client(new SocketsHttpHandler { AllowAutoRedirect = false }, timeout: Timeout);
    private readonly HttpClient _acquirer = new(new SocketsHttpHandler { AllowAutoRedirect = false }) { Timeout = Timeout };
    private TestServers? _servers;
    private Platform? _platform;
    private OpenApiContract? _contract;

    /// <summary>How long anything asynchronous may take before a test gives up on it.</summary>
    public static TimeSpan Patience { get; } = TimeSpan.FromSeconds(90);

    public Uri Address { get; private set; } = null!;

    public string PlatformKey { get; private set; } = "";

    public Uri AcquirerAddress { get; private set; } = null!;

    public string AcquirerKey { get; private set; } = "";

    /// <summary>The secret with which the acquirer signs its webhooks (<c>whsec_...</c>).</summary>
    public string WebhookSecret { get; private set; } = "";

    /// <summary>What carries messages: <c>storage</c> or <c>servicebus</c>; empty where it is not known.</summary>
    public string Transport { get; private set; } = "";

    /// <summary>The connection string of the app's storage account; empty where it is not known.</summary>
    public string Storage { get; private set; } = "";

    /// <summary>The connection string of Service Bus; empty on the other transport.</summary>
    public string ServiceBus { get; private set; } = "";

    /// <summary>The connection string of the owner of the app's database.</summary>
    public string OwnerPostgres { get; private set; } = "";

    /// <summary>The servers that the kit started; null where the app runs elsewhere.</summary>
    internal TestServers? Servers => _servers;

    /// <summary>The acquirer and its secrets, for another app beside this one.</summary>
    internal Platform? Platform => _platform;

    /// <summary>The host's system key for events of blobs. <c>local/host</c> takes any; <c>PAYMENTS_TEST_BLOBS_KEY</c> has that of Microsoft's host.</summary>
    internal static string BlobsKey => Variable("PAYMENTS_TEST_BLOBS_KEY") is { Length: > 0 } key ? key : "local";

    public async ValueTask InitializeAsync()
    {
        // The contract's validator comes from npm.
        await Tools.InstallAsync();
        if (Variable("PAYMENTS_TEST_APP_URL") is { Length: > 0 } url)
        {
            Address = new Uri(url);
            PlatformKey = Required("PAYMENTS_TEST_PLATFORM_KEY");
            AcquirerAddress = new Uri(Required("PAYMENTS_TEST_ACQUIRER_URL"));
            AcquirerKey = Required("PAYMENTS_TEST_ACQUIRER_KEY");
            WebhookSecret = Required("PAYMENTS_TEST_SANDBOX_WEBHOOK_SECRET");
            (Transport, Storage, ServiceBus) = (Variable("PAYMENTS_TEST_TRANSPORT"), Variable("PAYMENTS_TEST_STORAGE"), Variable("PAYMENTS_TEST_SERVICEBUS"));
            OwnerPostgres = Variable("PAYMENTS_TEST_OWNER_POSTGRES");
        }
        else
        {
            await StartAsync();
        }

        _contract = new OpenApiContract();
    }

    public async ValueTask DisposeAsync()
    {
        _contract?.Dispose();
        _http.Dispose();
        _acquirer.Dispose();
        Transcript.Write(Transport);
        if (_platform is not null)
            await _platform.DisposeAsync();
        if (_servers is not null)
            await _servers.DisposeAsync();
    }

    /// <summary>Sends a request and holds the answer against the contract.</summary>
    public async Task<Answer> SendAsync(
        HttpMethod method, string path, string? key, object? body = null, string? idempotencyKey = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, new Uri(Address, path));
        if (key is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        if (idempotencyKey is not null)
            request.Headers.TryAddWithoutValidation("Idempotency-Key", idempotencyKey);
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        if (body is not null)
        {
            var bytes = body as byte[] ?? Encoding.UTF8.GetBytes(body as string ?? JsonSerializer.Serialize(body));
            request.Content = new ByteArrayContent(bytes) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        }

        using var response = await _http.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        await _contract!.CheckAsync(method, path.Split('?')[0], (int)response.StatusCode, response.Content.Headers.ContentType?.ToString(), text);
        return new Answer((int)response.StatusCode, text, response.Headers.ToDictionary(h => h.Key, h => string.Join(',', h.Value), StringComparer.OrdinalIgnoreCase));
    }

    public Task<Answer> GetAsync(string path, string key) => SendAsync(HttpMethod.Get, path, key);

    public Task<Answer> PostAsync(string path, string key, object body, string? idempotencyKey = null) =>
        SendAsync(HttpMethod.Post, path, key, body, idempotencyKey ?? NewKey());

    public static string NewKey() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12));

    /// <summary>A merchant of the test's own, with a key: no test sees another's.</summary>
    /// <param name="feePlan">Its fee plan as the API takes it; null takes the platform's standard.</param>
    /// <param name="mode">The mode of the key; the account's id is the one of this mode.</param>
    public async Task<TestMerchant> CreateMerchantAsync(int payoutDelayDays = 0, object? feePlan = null, string mode = "test")
    {
        object merchantWith = feePlan is null
            ? new { name = "Test " + NewKey(), country = "DE", payout_delay_days = payoutDelayDays }
            : new { name = "Test " + NewKey(), country = "DE", payout_delay_days = payoutDelayDays, fee_plan = feePlan };
        var merchant = await PostAsync("/v1/merchants", PlatformKey, merchantWith);
        Assert.Equal(201, merchant.Status);
        var id = merchant.Text("id");
        var key = await PostAsync($"/v1/merchants/{id}/api_keys", PlatformKey, new { mode });
        Assert.Equal(201, key.Status);
        return new TestMerchant(this, key.Text("merchant"), key.Text("secret")) { LiveId = id };
    }

    /// <summary>Asks the acquirer: its control API, or what it really did.</summary>
    public async Task<JsonNode?> AcquirerAsync(HttpMethod method, string path, object? body = null) =>
        await AcquirerTextAsync(path, method, body) is { Length: > 0 } text ? JsonNode.Parse(text) : null;

    /// <summary>The same where the answer is no JSON, as the processor's files are.</summary>
    public async Task<string> AcquirerTextAsync(string path, HttpMethod? method = null, object? body = null)
    {
        using var request = new HttpRequestMessage(method ?? HttpMethod.Get, new Uri(AcquirerAddress, path));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", AcquirerKey);
        request.Headers.TryAddWithoutValidation("Idempotency-Key", NewKey());
        if (body is not null)
            request.Content = new StringContent(JsonSerializer.Serialize(body), Encoding.UTF8, "application/json");
        using var response = await _acquirer.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, $"The acquirer answered {(int)response.StatusCode} to {method} {path}: {text}");
        return text;
    }

    /// <summary>What the acquirer really did for a payment of ours.</summary>
    public Task<JsonNode?> PaymentAsync(Answer charge) => AcquirerAsync(HttpMethod.Get, $"/v1/payments/{charge.Text("provider_reference")}");

    /// <summary>Looks again and again until it holds; what happens between is another process's.</summary>
    public static async Task<T> EventuallyAsync<T>(Func<Task<T>> look, Func<T, bool> holds, string what)
    {
        var deadline = TimeProvider.System.GetTimestamp() + (long)(Patience.TotalSeconds * TimeProvider.System.TimestampFrequency);
        while (true)
        {
            var (seen, held) = await Transcript.LookAsync(look, holds);
            if (held)
                return seen;
            if (TimeProvider.System.GetTimestamp() > deadline)
                Assert.Fail($"Not within {Patience.TotalSeconds} s: {what}. Last seen: {seen}");
            await Task.Delay(100);
        }
    }

    private static string Variable(string name) => Environment.GetEnvironmentVariable(name) ?? "";

    private static string Required(string variable) => Variable(variable) is { Length: > 0 } value
        ? value
        : throw new InvalidOperationException($"{variable} is not set. It belongs to PAYMENTS_TEST_APP_URL, which names an app that runs already.");

    private async Task StartAsync()
    {
        Transport = typeof(RunningApp).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(metadata => metadata.Key == "Payments.Transport").Value!;
        var name = "functions-" + Transport;
        _servers = await TestServers.StartAsync(name, storage: true);
        var acquirer = FreePorts.Take();
        _platform = await Platform.StartAsync(_servers, name, new PlatformOptions
        {
            Transport = Transport,
            AcquirerPort = acquirer,
            Settings = new Dictionary<string, string>
            {
                // One currency goes to the bank by file, the others by the sandbox bank's API.
                ["Payouts__Rails__USD"] = "file",

                // Tests speak as a proxy would: the last entry of X-Forwarded-For is the caller.
                ["Http__TrustedProxies"] = "1",

                // More providers of the sandbox's kind, for routing: one that works as well, and one that nobody can reach. The first fails on purpose so
                // often in these tests that its circuit would open.
                ["Providers__Sandbox__Http__CircuitMinimumCalls"] = "10000",
                ["Providers__sandbox_backup__Type"] = "sandbox",
                ["Providers__sandbox_backup__BaseAddress"] = $"http://127.0.0.1:{acquirer}",
                ["Providers__sandbox_backup__ApiKey"] = _servers.Secrets.AcquirerKey,
                ["Providers__sandbox_down__Type"] = "sandbox",
                ["Providers__sandbox_down__BaseAddress"] = "http://127.0.0.1:1",
                ["Providers__sandbox_down__ApiKey"] = "none",
            },

            // What the app tells about itself goes to the tests, soon.
            Environment = new Dictionary<string, string>
            {
                ["OTEL_EXPORTER_OTLP_ENDPOINT"] = $"http://127.0.0.1:{TelemetryReceiver.Port}",
                ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
                ["OTEL_BSP_SCHEDULE_DELAY"] = "300",
                ["OTEL_METRIC_EXPORT_INTERVAL"] = "2000",
            },
        });
        Address = _platform.AppAddress;
        (PlatformKey, AcquirerKey, WebhookSecret) = (_platform.Secrets.PlatformKey, _platform.Secrets.AcquirerKey, _platform.Secrets.WebhookSecret);
        (AcquirerAddress, Storage, ServiceBus, OwnerPostgres) = (_platform.AcquirerAddress, _platform.Storage, _platform.ServiceBus, _platform.Logins.Owner);
    }
}

/// <summary>One answer of the app.</summary>
public sealed record Answer(int Status, string Body, IReadOnlyDictionary<string, string> Headers)
{
    public JsonNode Json => JsonNode.Parse(Body)!;

    public string Text(string property) => Json[property]!.GetValue<string>();

    public long Number(string property) => Json[property]!.GetValue<long>();

    public string? Code => Json["code"]?.GetValue<string>();

    public string? Param => Json["param"]?.GetValue<string>();
}

/// <summary>A merchant with its key.</summary>
/// <param name="Id">The account that the key is of.</param>
public sealed record TestMerchant(RunningApp App, string Id, string Key)
{
    /// <summary>The merchant's live account, which an operator names to issue keys of either mode.</summary>
    public required string LiveId { get; init; }

    public Task<Answer> GetAsync(string path) => App.GetAsync(path, Key);

    public Task<Answer> PostAsync(string path, object body, string? idempotencyKey = null) => App.PostAsync(path, Key, body, idempotencyKey);

    public Task<Answer> ChargeAsync(long amount = 1050, string currency = "EUR", string token = "tok_visa", string? idempotencyKey = null) =>
        PostAsync("/v1/charges", new { amount, currency, payment_method = token }, idempotencyKey);

    /// <summary>An amount held and not captured yet.</summary>
    public Task<Answer> AuthorizeAsync(long amount = 10_000, string currency = "EUR", string token = "tok_visa") =>
        PostAsync("/v1/charges", new { amount, currency, payment_method = token, capture_method = "manual" });

    public Task<Answer> CaptureAsync(string charge, long? amount = null, bool? isFinal = null, string? idempotencyKey = null) =>
        PostAsync($"/v1/charges/{charge}/capture", new { amount, is_final = isFinal }, idempotencyKey);

    public Task<Answer> CancelAsync(string charge, string? idempotencyKey = null) => PostAsync($"/v1/charges/{charge}/cancel", new { }, idempotencyKey);

    public Task<Answer> RefundAsync(string charge, long? amount = null, string? idempotencyKey = null) => PostAsync("/v1/refunds", new { charge, amount }, idempotencyKey);

    /// <summary>The types of an object's events, in the order in which they happened.</summary>
    public async Task<IReadOnlyList<string>> EventsAsync(string id)
    {
        var page = await GetAsync($"/v1/events?object={id}&limit=100");
        Assert.Equal(200, page.Status);
        return [.. page.Json["data"]!.AsArray().OrderBy(e => e!["sequence"]!.GetValue<int>()).Select(e => e!["type"]!.GetValue<string>())];
    }

    /// <summary>The merchant's balance of one currency; zero where the currency was never used.</summary>
    public async Task<(long Pending, long Available, long Disputed, long InTransit)> BalanceAsync(string currency = "EUR")
    {
        var answer = await GetAsync("/v1/balance");
        Assert.Equal(200, answer.Status);
        var entry = answer.Json["balances"]!.AsArray().FirstOrDefault(b => b!["currency"]!.GetValue<string>() == currency);
        return entry is null
            ? default
            : (entry["pending"]!.GetValue<long>(), entry["available"]!.GetValue<long>(), entry["disputed"]!.GetValue<long>(), entry["in_transit"]!.GetValue<long>());
    }
}
