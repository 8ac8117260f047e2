using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;

namespace Payments.Acquirer.Tests;

/// <summary>An answer of the program, read to its end.</summary>
internal sealed record Reply(int Status, string Text, HttpResponseHeaders Headers)
{
    public JsonElement Json { get; } = Text.StartsWith('{') && IsWhole(Text) ? JsonDocument.Parse(Text).RootElement : default;

    public string Field(string name) => Json.GetProperty(name).GetString()!;

    public long Amount(string name) => Json.GetProperty(name).GetInt64();

    public string Error => Json.GetProperty("error").GetProperty("code").GetString()!;

    private static bool IsWhole(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}

/// <summary>The program itself on a free port, with a folder of its own, called over HTTP.</summary>
internal sealed class Sandbox : IAsyncDisposable
{
    private readonly WebApplication _app;

    private Sandbox(WebApplication app, string folder)
    {
        _app = app;
        Folder = folder;
        Http = Client(AcquirerApp.AddressOf(app));
    }

    public string Folder { get; }

    public HttpClient Http { get; }

    private static readonly Lazy<string> Root = new(() =>
    {
        var root = Directory.CreateTempSubdirectory("acquirer-tests-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(root, recursive: true);
        return root;
    });

    public static string NewFolder() => Directory.CreateDirectory(Path.Combine(Root.Value, Path.GetRandomFileName())).FullName;

    public static HttpClient Client(string address) => new(new SocketsHttpHandler { AllowAutoRedirect = false })
    {
        BaseAddress = new Uri(address),
        DefaultRequestHeaders = { Authorization = new("Bearer", "secret") },
        Timeout = TimeSpan.FromSeconds(30),
    };

    public static string[] Arguments(string folder, params string[] settings) =>
    [
        "--Acquirer:Port=0", "--Acquirer:ApiKey=secret", $"--Acquirer:DataDirectory={folder}", "--Acquirer:HoldSeconds=1", "--Acquirer:StepMilliseconds=10",
        .. settings.Select(setting => "--Acquirer:" + setting),
    ];

    public static async Task<Sandbox> StartAsync(params string[] settings) => await StartAsync(null, settings);

    public static async Task<Sandbox> StartAsync(string? folder, string[] settings)
    {
        var path = folder ?? NewFolder();
        var app = await AcquirerApp.CreateAsync(Arguments(path, settings));
        await app.StartAsync();
        return new(app, path);
    }

    public async Task<Reply> GetAsync(string path)
    {
        using var response = await Http.GetAsync(path);
        return new((int)response.StatusCode, await response.Content.ReadAsStringAsync(), response.Headers);
    }

    /// <param name="key">The idempotency key; null sends none.</param>
    public Task<Reply> PostAsync(string path, string? key, string body) => SendAsync(HttpMethod.Post, path, key, body);

    public async Task<Reply> SendAsync(HttpMethod method, string path, string? key, string body)
    {
        using var request = new HttpRequestMessage(method, path) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        using var response = await Http.SendAsync(request);
        return new((int)response.StatusCode, await response.Content.ReadAsStringAsync(), response.Headers);
    }

    public Task<Reply> PayAsync(string reference, string token = "tok_visa", long amount = 1000, bool capture = true) =>
        PostAsync("/v1/payments", reference, Payment(reference, token, amount, capture));

    public static string Payment(string reference, string token = "tok_visa", long amount = 1000, bool capture = true) =>
        $$"""{"reference":"{{reference}}","amount":{{amount}},"currency":"EUR","token":"{{token}}","capture":{{(capture ? "true" : "false")}}}""";

    public Task<Reply> OperateAsync(string payment, string operation, string reference, long? amount = null) => PostAsync(
        $"/v1/payments/{payment}/{operation}", reference,
        amount is null ? $$"""{"reference":"{{reference}}"}""" : $$"""{"reference":"{{reference}}","amount":{{amount}}}""");

    public Task<Reply> FaultsAsync(string body) => SendAsync(HttpMethod.Put, "/control/faults", null, body);

    public async Task<List<JsonElement>> JournalAsync(long after = 0) =>
        [.. (await GetAsync($"/control/journal?after={after}")).Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];

    /// <summary>Asks again until the reply is as wanted; fails after ten seconds.</summary>
    public async Task<Reply> EventuallyAsync(string path, Func<Reply, bool> wanted)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        while (true)
        {
            var reply = await GetAsync(path);
            if (wanted(reply))
                return reply;
            Assert.False(deadline.IsCancellationRequested, $"{path} stayed {reply.Text}");
            await Task.Delay(10);
        }
    }

    public async Task StopAsync()
    {
        Http.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    public async ValueTask DisposeAsync() => await StopAsync();
}
