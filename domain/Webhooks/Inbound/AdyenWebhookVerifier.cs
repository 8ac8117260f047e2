using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Payments.Domain.Webhooks.Inbound;

/// <summary>
/// Adyen's scheme: a body holds several notifications, and each carries its own signature in <c>additionalData.hmacSignature</c>.
/// The signature is an HMAC over eight of the notification's fields, joined with colons, with the hex-decoded key.
/// One invalid notification refuses the whole request, and nothing of it is stored.
/// The scheme signs no time, so no age is checked. A recorded request that is sent again is a duplicate.
/// </summary>
public sealed class AdyenWebhookVerifier(IReadOnlyList<string> secrets) : IWebhookVerifier
{
    private static readonly string[] PlainFields = ["pspReference", "originalReference", "merchantAccountCode", "merchantReference"];

    private readonly byte[][] _keys = [.. secrets.Select(Convert.FromHexString)];

    public string Acknowledgement => "[accepted]";

    public WebhookVerification Verify(IHeaderDictionary headers, ReadOnlyMemory<byte> body, DateTimeOffset now)
    {
        if (InboundRules.ParseObject(body) is not { } json
            || !json.TryGetProperty("notificationItems", out var items) || items.ValueKind != JsonValueKind.Array || items.GetArrayLength() == 0)
        {
            // Without notifications nothing is signed, so the request may come from anyone.
            return WebhookVerification.Refused(WebhookRefusal.MissingSignature);
        }

        var events = new List<VerifiedEvent>();
        foreach (var wrapper in items.EnumerateArray())
        {
            if (wrapper.ValueKind != JsonValueKind.Object || !wrapper.TryGetProperty("NotificationRequestItem", out var item) || Signature(item) is not { } signature)
                return WebhookVerification.Refused(WebhookRefusal.MissingSignature);
            if (SignedText(item) is not { } text || !Matches(text, signature))
                return WebhookVerification.Refused(WebhookRefusal.BadSignature);

            // Adyen identifies a notification by these three values.
            var (code, reference) = (InboundRules.Name(item, "eventCode"), InboundRules.Name(item, "pspReference"));
            var id = $"{code}:{reference}:{Text(item, "success")}";
            if (code is null || reference is null || !InboundRules.IsName(id))
                return WebhookVerification.Refused(WebhookRefusal.Malformed);
            events.Add(new VerifiedEvent(id, code, Encoding.UTF8.GetBytes(item.GetRawText())));
        }

        return WebhookVerification.Of(events);
    }

    private static byte[]? Signature(JsonElement item)
    {
        if (item.ValueKind != JsonValueKind.Object || !item.TryGetProperty("additionalData", out var additional)
            || InboundRules.Name(additional, "hmacSignature") is not { } text)
        {
            return null;
        }

        var bytes = new byte[HMACSHA256.HashSizeInBytes];
        return Convert.TryFromBase64String(text, bytes, out var length) && length == bytes.Length ? bytes : null;
    }

    private static string? SignedText(JsonElement item)
    {
        var amount = item.TryGetProperty("amount", out var value) && value.ValueKind == JsonValueKind.Object ? value : default;
        var parts = new List<string?>(PlainFields.Select(field => Text(item, field)))
        {
            amount.ValueKind == JsonValueKind.Object ? Text(amount, "value") : "",
            amount.ValueKind == JsonValueKind.Object ? Text(amount, "currency") : "",
            Text(item, "eventCode"),
            Text(item, "success"),
        };
        return parts.Contains(null) ? null : string.Join(':', parts);
    }

    // Null if the value is of a kind that Adyen never signs.
    private static string? Text(JsonElement element, string property)
    {
        if (!element.TryGetProperty(property, out var value))
            return "";
        try
        {
            return value.ValueKind switch
            {
                JsonValueKind.Null => "",
                JsonValueKind.String => value.GetString(),
                JsonValueKind.Number => value.GetRawText(),
                JsonValueKind.True => "true",
                JsonValueKind.False => "false",
                _ => null,
            };
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private bool Matches(string text, byte[] signature)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        var matches = false;
        foreach (var key in _keys)
            matches |= CryptographicOperations.FixedTimeEquals(HMACSHA256.HashData(key, bytes), signature);
        return matches;
    }
}
