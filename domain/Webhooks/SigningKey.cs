using NSec.Cryptography;

namespace Payments.Domain.Webhooks;

/// <summary>
/// Signs the deliveries to one endpoint, with a secret that the merchant also has (<c>whsec_</c>) or with a private key (<c>whsk_</c>).
/// </summary>
internal sealed class SigningKey : IDisposable
{
    private readonly byte[]? _secret;
    private readonly Key? _private;

    private SigningKey(byte[]? secret, Key? @private)
    {
        _secret = secret;
        _private = @private;
    }

    /// <exception cref="FormatException">The text is neither.</exception>
    public static SigningKey Parse(string text)
    {
        if (text.StartsWith(StandardWebhooksEd25519.PrivatePrefix, StringComparison.Ordinal) && StandardWebhooksEd25519.PrivateKey(text) is { } key)
            return new SigningKey(null, key);
        return StandardWebhooks.KeyOf(text) is { } secret ? new SigningKey(secret, null) : throw new FormatException("The text is no signing key of Standard Webhooks.");
    }

    public string Sign(string id, long unixSeconds, ReadOnlySpan<byte> body) => _private is null
        ? StandardWebhooks.Sign(_secret, id, unixSeconds, body)
        : StandardWebhooksEd25519.Sign(_private, id, unixSeconds, body);

    public void Dispose() => _private?.Dispose();
}
