using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Payments.Functions.Tests.Contract;

[assembly: AssemblyFixture(typeof(Payments.Functions.Tests.RunningApp))]

namespace Payments.Functions.Tests;

/// <summary>
/// The app under test, already running somewhere: self-hosted, on Core Tools, or deployed. It is known by its address and keys alone, from the
/// environment that <c>./test</c> sets.
/// </summary>
public sealed class RunningApp : IAsyncLifetime
{
    public const string UrlVariable = "PAYMENTS_TEST_APP_URL";

    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false }) { Timeout = TimeSpan.FromSeconds(60) };
    private OpenApiContract? _contract;

    /// <summary>How long anything asynchronous may take before a test gives up on it.</summary>
    public static TimeSpan Patience { get; } = TimeSpan.FromSeconds(90);

    public Uri Address { get; } = new(Required(UrlVariable));

    public string PlatformKey { get; } = Required("PAYMENTS_TEST_PLATFORM_KEY");

    public Uri AcquirerAddress { get; } = new(Required("PAYMENTS_TEST_ACQUIRER_URL"));

    public string AcquirerKey { get; } = Required("PAYMENTS_TEST_ACQUIRER_KEY");

    /// <summary>The secret with which the acquirer signs its webhooks (<c>whsec_...</c>).</summary>
    public string WebhookSecret { get; } = Required("PAYMENTS_TEST_SANDBOX_WEBHOOK_SECRET");

    public ValueTask InitializeAsync()
    {
        _contract = new OpenApiContract();
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        _contract?.Dispose();
        _http.Dispose();
        return ValueTask.CompletedTask;
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
    public async Task<TestMerchant> CreateMerchantAsync(int payoutDelayDays = 0, object? feePlan = null)
    {
        object merchantWith = feePlan is null
            ? new { name = "Test " + NewKey(), country = "DE", payout_delay_days = payoutDelayDays }
            : new { name = "Test " + NewKey(), country = "DE", payout_delay_days = payoutDelayDays, fee_plan = feePlan };
        var merchant = await PostAsync("/v1/merchants", PlatformKey, merchantWith);
        Assert.Equal(201, merchant.Status);
        var id = merchant.Text("id");
        var key = await PostAsync($"/v1/merchants/{id}/api_keys", PlatformKey, new { mode = "test" });
        Assert.Equal(201, key.Status);
        return new TestMerchant(this, id, key.Text("secret"));
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
        using var response = await _http.SendAsync(request);
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
            var seen = await look();
            if (holds(seen))
                return seen;
            if (TimeProvider.System.GetTimestamp() > deadline)
                Assert.Fail($"Not within {Patience.TotalSeconds} s: {what}. Last seen: {seen}");
            await Task.Delay(100);
        }
    }

    private static string Required(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value
            ? value
            : throw new InvalidOperationException($"{variable} is not set: ./test starts the app and sets it.");
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
public sealed record TestMerchant(RunningApp App, string Id, string Key)
{
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
