using System.Net;
using System.Text;
using Microsoft.AspNetCore.Http;
using Yarp.ReverseProxy.Forwarder;

namespace FunctionsHost.Http;

/// <summary>Forwards requests to the worker's own HTTP server, as Microsoft's host does.</summary>
internal sealed class WorkerForwarder(IHttpForwarder forwarder) : IDisposable
{
    private const string InvocationIdHeader = "x-ms-invocation-id";

    private static readonly ForwarderRequestConfig Config = new()
    {
        // The function's own time limit decides.
        ActivityTimeout = Timeout.InfiniteTimeSpan,
        Version = HttpVersion.Version11,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };

    private readonly Transformer _transformer = new();

    private readonly HttpMessageInvoker _client = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = false,
        AutomaticDecompression = DecompressionMethods.None,
        EnableMultipleHttp2Connections = false,
        MaxConnectionsPerServer = int.MaxValue,
        PooledConnectionLifetime = Timeout.InfiniteTimeSpan,
        PooledConnectionIdleTimeout = TimeSpan.FromMinutes(1),
        ConnectTimeout = TimeSpan.FromSeconds(15),
        ActivityHeadersPropagator = null,
        RequestHeaderEncodingSelector = static (_, _) => Encoding.UTF8,
        ResponseHeaderEncodingSelector = static (_, _) => Encoding.UTF8,
    });

    /// <summary>Why the request or its answer could not be passed on; null where both were.</summary>
    public async Task<string?> SendAsync(HttpContext context, string address, string invocationId)
    {
        // Where the transformer finds it, without a dictionary for each request.
        context.TraceIdentifier = invocationId;
        var error = await forwarder.SendAsync(context, address, _client, Config, _transformer);
        if (error == ForwarderError.None)
            return null;
        return context.Features.Get<IForwarderErrorFeature>()?.Exception?.Message ?? error.ToString();
    }

    public void Dispose() => _client.Dispose();

    /// <summary>
    /// Replaces the caller's X-Forwarded headers by this host's own view of the connection. The worker takes its remote
    /// address, host and scheme from them.
    /// </summary>
    private sealed class Transformer : HttpTransformer
    {
        public override async ValueTask TransformRequestAsync(
            HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
        {
            await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
            var request = httpContext.Request;
            var headers = proxyRequest.Headers;
            headers.Host = null;
            if (request.Headers.ContainsKey("X-Forwarded-For"))
                headers.Remove("X-Forwarded-For");
            if (request.Headers.ContainsKey("X-Forwarded-Host"))
                headers.Remove("X-Forwarded-Host");
            if (request.Headers.ContainsKey("X-Forwarded-Proto"))
                headers.Remove("X-Forwarded-Proto");
            if (request.Headers.ContainsKey("X-Forwarded-Prefix"))
                headers.Remove("X-Forwarded-Prefix");
            if (request.Headers.ContainsKey(InvocationIdHeader))
                headers.Remove(InvocationIdHeader);
            if (httpContext.Connection.RemoteIpAddress is { } peer)
                headers.TryAddWithoutValidation("X-Forwarded-For", peer.ToString());
            if (request.Host.HasValue)
                headers.TryAddWithoutValidation("X-Forwarded-Host", request.Host.Value);
            headers.TryAddWithoutValidation("X-Forwarded-Proto", request.Scheme);
            headers.TryAddWithoutValidation(InvocationIdHeader, httpContext.TraceIdentifier);
        }
    }
}
