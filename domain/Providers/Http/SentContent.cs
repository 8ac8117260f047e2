using System.Net;
using System.Net.Http.Headers;

namespace Payments.Domain.Providers.Http;

/// <summary>
/// A body that records whether any of it was handed to a connection. A request whose body never began cannot have been carried out, because
/// its length announces a body. This tells "not sent" from "unknown".
/// </summary>
internal sealed class SentContent : HttpContent
{
    private readonly byte[] _bytes;

    public SentContent(byte[] bytes, string mediaType)
    {
        if (bytes.Length == 0)
            throw new ArgumentException("An empty body begins and ends unseen.", nameof(bytes));
        _bytes = bytes;
        Headers.ContentType = MediaTypeHeaderValue.Parse(mediaType);
    }

    public bool Began { get; private set; }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        Began = true;
        return stream.WriteAsync(_bytes, cancellationToken).AsTask();
    }

    protected override bool TryComputeLength(out long length)
    {
        length = _bytes.Length;
        return true;
    }
}
