using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;
using Payments.Kit;

namespace Payments.Faults;

/// <summary>
/// The servers of all merchants, with one path for each endpoint. While the run wants it, they fail like real ones: errors, late answers,
/// connections that end. They keep what they acknowledged.
/// </summary>
internal sealed class MerchantServers : IAsyncDisposable
{
    private readonly ConcurrentDictionary<(string Url, string Event), int> _received = new();
    private readonly Random _random;
    private readonly Tally _tally;
    private readonly WebApplication _server;
    private int _made;

    private MerchantServers(int seed, Tally tally)
    {
        (_random, _tally) = (new Random(seed), tally);
        var port = FreePorts.Take();
        Address = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}/");
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        _server = builder.Build();
        _server.Run(AnswerAsync);
    }

    public string Address { get; }

    /// <summary>The share of deliveries that meet a failure.</summary>
    public double Trouble { get; set; }

    /// <summary>The acknowledged webhooks, by the endpoint's address and the event.</summary>
    public IReadOnlyCollection<(string Url, string Event)> Received => [.. _received.Keys];

    public static async Task<MerchantServers> StartAsync(int seed, Tally tally)
    {
        var servers = new MerchantServers(seed, tally);
        await servers._server.StartAsync();
        return servers;
    }

    /// <summary>Returns the address of a new endpoint.</summary>
    /// <param name="isBroken">Whether its server fails every time.</param>
    public string NewUrl(bool isBroken = false) => $"{Address}{(isBroken ? "broken" : "hooks")}/{Interlocked.Increment(ref _made)}";

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        await context.Request.Body.CopyToAsync(Stream.Null);
        if (context.Request.Path.StartsWithSegments("/broken", StringComparison.Ordinal))
        {
            _tally.Add("fault: merchant's server is broken");
            context.Response.StatusCode = 500;
            return;
        }

        double draw;
        lock (_random)
            draw = _random.NextDouble() / Math.Max(Trouble, 1e-9);
        switch (draw)
        {
            case < 0.6:
                _tally.Add("fault: merchant answers 500");
                context.Response.StatusCode = 500;
                return;
            case < 0.8:
                _tally.Add("fault: merchant does not answer in time");
                await Task.Delay(TimeSpan.FromSeconds(2.5));
                break;
            case < 0.99:
                _tally.Add("fault: merchant's connection ends");
                context.Abort();
                return;
            case < 1:
                _tally.Add("fault: merchant answers 410");
                context.Response.StatusCode = 410;
                return;
        }

        // Kept before the answer: everything that the platform may count as delivered is here.
        _tally.Add("webhooks received");
        _received.AddOrUpdate((context.Request.GetEncodedUrl(), context.Request.Headers["webhook-id"].ToString()), 1, (_, before) => before + 1);
        context.Response.StatusCode = 204;
    }
}
