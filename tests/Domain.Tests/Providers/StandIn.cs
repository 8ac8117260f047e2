using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Payments.Domain.Providers.Credentials;
using Payments.Domain.Providers.Http;

namespace Payments.Domain.Tests.Providers;

/// <summary>One request as the provider got it.</summary>
internal sealed record Seen(string Method, string Target, IReadOnlyDictionary<string, string> Headers, string Body)
{
    /// <summary>The fields of a form, each decoded.</summary>
    public IReadOnlyDictionary<string, string> Form => Body.Split('&', StringSplitOptions.RemoveEmptyEntries).Select(pair => pair.Split('=', 2))
        .ToDictionary(pair => WebUtility.UrlDecode(pair[0]), pair => WebUtility.UrlDecode(pair[1]));
}

/// <summary>A provider's API on loopback that answers what a test tells it, in order, the last answer for ever.</summary>
internal sealed class StandIn : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Queue<Func<HttpContext, Task>> _answers = new();
    private readonly ConcurrentQueue<Seen> _seen = new();
    private readonly SemaphoreSlim _arrived = new(0);
    private Func<HttpContext, Task>? _last;

    private StandIn(WebApplication app) => _app = app;

    public Uri Address { get; private set; } = null!;

    public IReadOnlyList<Seen> Requests => [.. _seen];

    public static async Task<StandIn> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var standIn = new StandIn(app);
        app.Run(standIn.HandleAsync);
        await app.StartAsync();
        standIn.Address = new Uri(app.Urls.Single() + "/");
        return standIn;
    }

    public StandIn Answers(int status, string body, params (string Name, string Value)[] headers) => Then(async context =>
    {
        context.Response.StatusCode = status;
        foreach (var (name, value) in headers)
            context.Response.Headers[name] = value;
        await context.Response.WriteAsync(body);
    });

    /// <summary>Takes the request and breaks the connection.</summary>
    public StandIn Drops() => Then(context =>
    {
        context.Abort();
        return Task.CompletedTask;
    });

    /// <summary>Takes the request and says nothing until the caller goes away.</summary>
    public StandIn SaysNothing() => Then(context => Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default));

    public StandIn Then(Func<HttpContext, Task> answer)
    {
        lock (_answers)
            _answers.Enqueue(answer);
        return this;
    }

    public async Task ArrivedAsync() => Assert.True(await _arrived.WaitAsync(TimeSpan.FromSeconds(30)), "No request came.");

    /// <summary>The way to it that providers take, with the time limits of production on the test's clock.</summary>
    public ProviderHttp Http(TimeProvider? time = null, Action<ProviderHttpOptions>? change = null) => Http(Address, time, change);

    public static ProviderHttp Http(Uri address, TimeProvider? time = null, Action<ProviderHttpOptions>? change = null)
    {
        var options = new ProviderHttpOptions();
        change?.Invoke(options);
        var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, ConnectTimeout = options.ConnectTimeout }) { BaseAddress = address };
        return new ProviderHttp("test", client, options, time ?? TimeProvider.System, NullLogger.Instance);
    }

    public static ProviderAccess Access(params (string Name, string Value)[] credentials) => new(
        "test", (_, _) => ValueTask.FromResult<ProviderSecrets?>(new ProviderSecrets(credentials.ToDictionary(pair => pair.Name, pair => pair.Value))), NullLogger.Instance);

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        _arrived.Dispose();
    }

    private async Task HandleAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
        var body = await reader.ReadToEndAsync();
        _seen.Enqueue(new Seen(
            context.Request.Method, context.Request.Path + context.Request.QueryString.Value,
            context.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase), body));
        Func<HttpContext, Task> answer;
        lock (_answers)
        {
            _last = _answers.Count > 0 ? _answers.Dequeue() : _last;
            answer = _last ?? throw new InvalidOperationException("The test told no answer.");
        }

        _arrived.Release();
        await answer(context);
    }
}
