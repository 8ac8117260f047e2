using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Payments.Acquirer.Tests;

internal sealed record Received(string Id, string Timestamp, string Signature, string Body)
{
    public JsonElement Json { get; } = JsonDocument.Parse(Body).RootElement;

    public string Type => Json.GetProperty("type").GetString()!;

    public JsonElement Data => Json.GetProperty("data");
}

/// <summary>Receives webhooks on a port of its own and answers as it is told to.</summary>
internal sealed class WebhookListener : IAsyncDisposable
{
    public const string Secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

    private readonly WebApplication _app;

    private WebhookListener(WebApplication app) => _app = app;

    public ConcurrentQueue<Received> All { get; } = new();

    /// <summary>Decides the status of the next answers.</summary>
    public Func<Received, int> Answer { get; set; } = _ => 204;

    public string[] Settings => [$"WebhookUrl={AcquirerApp.AddressOf(_app)}/hook", $"WebhookSecret={Secret}"];

    public static async Task<WebhookListener> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(server => server.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var listener = new WebhookListener(app);
        app.MapPost("/hook", async (HttpContext context) =>
        {
            using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
            var headers = context.Request.Headers;
            var received = new Received(headers["webhook-id"]!, headers["webhook-timestamp"]!, headers["webhook-signature"]!, await reader.ReadToEndAsync());
            var status = listener.Answer(received);
            listener.All.Enqueue(received);
            context.Response.StatusCode = status;
        });
        await app.StartAsync();
        return listener;
    }

    /// <summary>Waits until so many webhooks match; fails after ten seconds.</summary>
    public async Task<List<Received>> WaitAsync(int count, Func<Received, bool>? matches = null)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        while (true)
        {
            var found = All.Where(matches ?? (_ => true)).ToList();
            if (found.Count >= count)
                return found;
            Assert.False(deadline.IsCancellationRequested, $"Only {found.Count} of {count} came: {string.Join(' ', All.Select(r => r.Type))}");
            await Task.Delay(10);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }
}
