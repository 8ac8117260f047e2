using System.Collections.Concurrent;
using System.Globalization;
using System.Net;

namespace Payments.Faults;

/// <summary>
/// The servers of all merchants, one path for each endpoint. While the run wants it they fail in the ways of real ones: errors, no answer in time, a connection that ends. What they
/// acknowledged they keep.
/// </summary>
internal sealed class MerchantServers : IAsyncDisposable
{
    private readonly HttpListener _listener = new();
    private readonly ConcurrentDictionary<(string Url, string Event), int> _received = new();
    private readonly Random _random;
    private readonly Tally _tally;
    private readonly Task _loop;
    private int _made;

    public MerchantServers(int seed, Tally tally)
    {
        (_random, _tally) = (new Random(seed), tally);
        Address = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{FreePorts.Take(1)[0]}/");
        _listener.Prefixes.Add(Address);
        _listener.Start();
        _loop = TakeAsync();
    }

    public string Address { get; }

    /// <summary>The share of deliveries that meet a failure.</summary>
    public double Trouble { get; set; }

    /// <summary>What was acknowledged, by the endpoint's address and the event.</summary>
    public IReadOnlyCollection<(string Url, string Event)> Received => [.. _received.Keys];

    /// <summary>An address for one more endpoint.</summary>
    public string NewUrl() => $"{Address}hooks/{Interlocked.Increment(ref _made)}";

    public async ValueTask DisposeAsync()
    {
        _listener.Close();
        await _loop;
    }

    private async Task TakeAsync()
    {
        while (true)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                return;
            }

            _ = AnswerAsync(context);
        }
    }

    private async Task AnswerAsync(HttpListenerContext context)
    {
        try
        {
            using var body = new StreamReader(context.Request.InputStream);
            await body.ReadToEndAsync();
            double draw;
            lock (_random)
                draw = _random.NextDouble() / Math.Max(Trouble, 1e-9);
            switch (draw)
            {
                case < 0.6:
                    _tally.Add("fault: merchant answers 500");
                    context.Response.StatusCode = 500;
                    break;
                case < 0.8:
                    _tally.Add("fault: merchant does not answer in time");
                    await Task.Delay(TimeSpan.FromSeconds(2.5));
                    context.Response.StatusCode = 200;
                    break;
                case < 0.99:
                    _tally.Add("fault: merchant's connection ends");
                    context.Response.Abort();
                    return;
                case < 1:
                    _tally.Add("fault: merchant answers 410");
                    context.Response.StatusCode = 410;
                    break;
                default:
                    context.Response.StatusCode = 204;
                    break;
            }

            // Kept before it is told: what the platform may take for delivered is here.
            if (context.Response.StatusCode is 200 or 204)
            {
                _tally.Add("webhooks received");
                _received.AddOrUpdate((context.Request.Url!.AbsoluteUri, context.Request.Headers["webhook-id"] ?? ""), 1, (_, before) => before + 1);
            }

            context.Response.Close();
        }
        catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or IOException or InvalidOperationException)
        {
            // Whoever sent it is gone.
        }
    }
}
