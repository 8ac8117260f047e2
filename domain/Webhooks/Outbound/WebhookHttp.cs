using System.Net;
using System.Net.Sockets;

namespace Payments.Domain.Webhooks.Outbound;

/// <summary>An endpoint's host resolved only to addresses to which a webhook must not be sent.</summary>
internal sealed class AddressRefusedException(string host) : IOException($"{host} has no public address.");

/// <summary>
/// The client that calls merchants' endpoints. Each new connection resolves the host, checks the addresses, and connects to a checked
/// address. A host that changes its addresses between a check and the call therefore gains nothing. No redirects, no proxy, no cookies.
/// </summary>
public sealed class WebhookHttp : IDisposable
{
    private readonly HttpMessageInvoker _invoker;

    public WebhookHttp(WebhookOptions options)
        : this(options, Dns.GetHostAddressesAsync)
    {
    }

    internal WebhookHttp(WebhookOptions options, Func<string, CancellationToken, Task<IPAddress[]>> resolve)
        : this(GuardedHandler(options, resolve))
    {
    }

    /// <param name="handler">Sends the requests. The client owns it.</param>
    internal WebhookHttp(HttpMessageHandler handler) => _invoker = new HttpMessageInvoker(handler);

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken ct) => _invoker.SendAsync(request, ct);

    public void Dispose() => _invoker.Dispose();

    /// <summary>The handler that connects only to allowed addresses.</summary>
    internal static SocketsHttpHandler GuardedHandler(WebhookOptions options, Func<string, CancellationToken, Task<IPAddress[]>> resolve) => new()
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,

        // The platform's trace ids must not reach merchants.
        ActivityHeadersPropagator = null,
        ConnectTimeout = TimeSpan.FromSeconds(5),
        PooledConnectionLifetime = TimeSpan.FromMinutes(2),
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
        MaxConnectionsPerServer = 16,
        MaxResponseHeadersLength = 16,
        MaxResponseDrainSize = 16 * 1024,
        ConnectCallback = (context, ct) => ConnectAsync(context, options.AllowLoopback, resolve, ct),
    };

    private static async ValueTask<Stream> ConnectAsync(
        SocketsHttpConnectionContext context, bool allowLoopback, Func<string, CancellationToken, Task<IPAddress[]>> resolve, CancellationToken ct)
    {
        var (host, port) = (context.DnsEndPoint.Host, context.DnsEndPoint.Port);
        var addresses = IPAddress.TryParse(host, out var literal) ? [literal] : await resolve(host, ct);
        var allowed = addresses.Where(address => AddressGuard.Allows(address, allowLoopback)).ToArray();
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
