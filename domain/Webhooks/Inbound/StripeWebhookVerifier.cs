using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Payments.Domain.Webhooks.Inbound;

/// <summary>
/// Stripe's scheme: <c>Stripe-Signature: t=SECONDS,v1=HEX[,v1=HEX]</c>, an HMAC-SHA256 over <c>t.body</c>.
/// The key is the text of the secret, with its prefix. Any of several v1 may match. (docs.stripe.com/webhooks, "verify manually".)
/// </summary>
public sealed class StripeWebhookVerifier(IReadOnlyList<string> secrets) : IWebhookVerifier
{
    private readonly byte[][] _keys = [.. secrets.Select(Encoding.UTF8.GetBytes)];

    public string Acknowledgement => "";

    public WebhookVerification Verify(IHeaderDictionary headers, ReadOnlyMemory<byte> body, DateTimeOffset now)
    {
        var (time, signatures) = Read(headers["Stripe-Signature"].ToString());
        if (time is not { } timestamp || signatures.Count == 0)
            return WebhookVerification.Refused(WebhookRefusal.MissingSignature);
        if (!Matches(timestamp, signatures, body.Span))
            return WebhookVerification.Refused(WebhookRefusal.BadSignature);
        if (InboundRules.CheckAge(timestamp, now) is { } age)
            return WebhookVerification.Refused(age);
        return InboundRules.ParseObject(body) is { } json && InboundRules.Name(json, "id") is { } id && InboundRules.Name(json, "type") is { } type
            ? WebhookVerification.Of(new VerifiedEvent(id, type, body))
            : WebhookVerification.Refused(WebhookRefusal.Malformed);
    }

    private static (long? Time, List<byte[]> Signatures) Read(string header)
    {
        long? time = null;
        var signatures = new List<byte[]>();
        foreach (var item in header.Split(','))
        {
            if (item.StartsWith("t=", StringComparison.Ordinal) && long.TryParse(item.AsSpan(2), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
                time ??= seconds;
            var bytes = new byte[HMACSHA256.HashSizeInBytes];
            if (item.Length == 3 + 2 * bytes.Length && item.StartsWith("v1=", StringComparison.Ordinal)
                && Convert.FromHexString(item.AsSpan(3), bytes, out _, out _) == System.Buffers.OperationStatus.Done)
            {
                signatures.Add(bytes);
            }
        }

        return (time, signatures);
    }

    private bool Matches(long timestamp, List<byte[]> signatures, ReadOnlySpan<byte> body)
    {
        var prefix = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{timestamp}."));
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        var matches = false;
        foreach (var key in _keys)
        {
            using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
            hmac.AppendData(prefix);
            hmac.AppendData(body);
            hmac.GetHashAndReset(hash);
            foreach (var signature in signatures)
                matches |= CryptographicOperations.FixedTimeEquals(signature, hash);
        }

        return matches;
    }
}
