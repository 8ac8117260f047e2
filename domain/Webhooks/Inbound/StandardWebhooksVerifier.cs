using System.Globalization;
using Microsoft.AspNetCore.Http;
using NSec.Cryptography;

namespace Payments.Domain.Webhooks.Inbound;

/// <summary>
/// Verifies partners that follow Standard Webhooks 1.0, with symmetric secrets (<c>whsec_...</c>) or public keys (<c>whpk_...</c>,
/// Ed25519). While a partner changes from one to the other, it may have one of each. The event's id is the <c>webhook-id</c> header.
/// </summary>
public sealed class StandardWebhooksVerifier : IWebhookVerifier
{
    private readonly byte[][] _secrets;
    private readonly PublicKey[] _publicKeys;

    /// <exception cref="InvalidOperationException">A text is neither a secret nor a public key.</exception>
    public StandardWebhooksVerifier(IReadOnlyList<string> secrets)
    {
        _publicKeys = [.. secrets.Select(StandardWebhooksEd25519.PublicKey).OfType<PublicKey>()];
        _secrets = [.. secrets.Select(StandardWebhooks.KeyOf).OfType<byte[]>()];
        if (_secrets.Length + _publicKeys.Length != secrets.Count)
        {
            throw new InvalidOperationException(
                "A secret of Standard Webhooks must be 'whsec_' and the base64 of 24 to 64 bytes, "
                + "or 'whpk_' and the base64 of an Ed25519 public key of 32 bytes.");
        }
    }

    public string Acknowledgement => "";

    public WebhookVerification Verify(IHeaderDictionary headers, ReadOnlyMemory<byte> body, DateTimeOffset now)
    {
        var id = headers[StandardWebhooks.IdHeader].ToString();
        var signatures = headers[StandardWebhooks.SignatureHeader].ToString();
        if (!InboundRules.IsName(id) || signatures.Length == 0
            || !long.TryParse(headers[StandardWebhooks.TimestampHeader].ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var timestamp))
        {
            return WebhookVerification.Refused(WebhookRefusal.MissingSignature);
        }

        if (!StandardWebhooks.Verify(_secrets, id, timestamp, body.Span, signatures)
            && !(_publicKeys.Length > 0 && StandardWebhooksEd25519.Verify(_publicKeys, id, timestamp, body.Span, signatures)))
        {
            return WebhookVerification.Refused(WebhookRefusal.BadSignature);
        }

        if (InboundRules.CheckAge(timestamp, now) is { } age)
            return WebhookVerification.Refused(age);
        return InboundRules.ParseObject(body) is { } json && InboundRules.Name(json, "type") is { } type
            ? WebhookVerification.Of(new VerifiedEvent(id, type, body))
            : WebhookVerification.Refused(WebhookRefusal.Malformed);
    }
}
