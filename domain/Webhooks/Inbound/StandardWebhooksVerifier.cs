using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace Payments.Domain.Webhooks.Inbound;

/// <summary>Partners that follow Standard Webhooks 1.0 with symmetric secrets (<c>whsec_...</c>). The event's id is the <c>webhook-id</c> header.</summary>
public sealed class StandardWebhooksVerifier(IReadOnlyList<string> secrets) : IWebhookVerifier
{
    private readonly byte[][] _keys = [.. secrets.Select(secret => StandardWebhooks.KeyOf(secret)
        ?? throw new InvalidOperationException("A secret of Standard Webhooks is 'whsec_' and the base64 of 24 to 64 bytes."))];

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

        if (!StandardWebhooks.Verify(_keys, id, timestamp, body.Span, signatures))
            return WebhookVerification.Refused(WebhookRefusal.BadSignature);
        if (InboundRules.CheckAge(timestamp, now) is { } age)
            return WebhookVerification.Refused(age);
        return InboundRules.ParseObject(body) is { } json && InboundRules.Name(json, "type") is { } type
            ? WebhookVerification.Of(new VerifiedEvent(id, type, body))
            : WebhookVerification.Refused(WebhookRefusal.Malformed);
    }
}
