using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Payments.Functions.Tests;

/// <summary>A merchant's server: keeps what it got, and answers as a test says.</summary>
internal sealed class MerchantServer : IAsyncDisposable
{
    private readonly HttpListener _listener = new();
    private readonly Task _loop;

    public MerchantServer()
    {
        using (var free = new TcpListener(IPAddress.Loopback, 0))
        {
            free.Start();
            Address = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{((IPEndPoint)free.LocalEndpoint).Port}/");
        }

        _listener.Prefixes.Add(Address);
        _listener.Start();
        _loop = TakeAsync();
    }

    public string Address { get; }

    public ConcurrentQueue<Delivery> Got { get; } = new();

    /// <summary>Completes when the delivery may be answered; until then the server hangs.</summary>
    public Func<Delivery, Task> Answer { get; set; } = _ => Task.CompletedTask;

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
            var got = new Delivery(context.Request.Headers["webhook-id"]!, context.Request.Headers["webhook-timestamp"]!, context.Request.Headers["webhook-signature"]!, await body.ReadToEndAsync());
            Got.Enqueue(got);
            await Answer(got);
            context.Response.StatusCode = 200;
            context.Response.Close("thank you"u8.ToArray(), willBlock: false);
        }
        catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or IOException or InvalidOperationException)
        {
            // Whoever sent it is gone.
        }
    }

    internal sealed record Delivery(string Id, string Timestamp, string Signature, string Body);
}
