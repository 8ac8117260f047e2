using System.Net;
using System.Net.Sockets;

namespace Payments.Domain.Webhooks.Outbound;

/// <summary>The name of an endpoint led to addresses that a webhook must not be sent to.</summary>
internal sealed class AddressRefusedException(string host) : IOException($"{host} has no public address.");

/// <summary>
/// The client that calls merchants' endpoints. A name is resolved and judged when a connection is made, and the connection goes to the judged
/// address: a name that changes its mind between a check and the call gains nothing. No redirects, no proxy, no cookies.
/// </summary>
public sealed class WebhookHttp : IDisposable
{
    private readonly Func<string, CancellationToken, Task<IPAddress[]>> _resolve;
    private readonly bool _allowLoopback;
    private readonly HttpMessageInvoker _invoker;

    public WebhookHttp(WebhookOptions options)
        : this(options, Dns.GetHostAddressesAsync)
    {
    }

    internal WebhookHttp(WebhookOptions options, Func<string, CancellationToken, Task<IPAddress[]>> resolve)
    {
        _resolve = resolve;
        _allowLoopback = options.AllowLoopback;
        _invoker = new HttpMessageInvoker(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,

            // Our trace ids are no business of the merchant's.
            ActivityHeadersPropagator = null,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            PooledConnectionLifetime = TimeSpan.FromMinutes(2),
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
            MaxConnectionsPerServer = 16,
            MaxResponseHeadersLength = 16,
            MaxResponseDrainSize = 16 * 1024,
            ConnectCallback = ConnectAsync,
        });
    }

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken ct) => _invoker.SendAsync(request, ct);

    public void Dispose() => _invoker.Dispose();

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken ct)
    {
        var (host, port) = (context.DnsEndPoint.Host, context.DnsEndPoint.Port);
        var addresses = IPAddress.TryParse(host, out var literal) ? [literal] : await _resolve(host, ct);
        var allowed = addresses.Where(address => AddressGuard.Allows(address, _allowLoopback)).ToArray();
        if (allowed.Length == 0)
            throw new AddressRefusedException(host);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, port, ct);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
