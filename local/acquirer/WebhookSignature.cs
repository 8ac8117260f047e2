using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Payments.Acquirer;

/// <summary>Signatures of Standard Webhooks 1.0: HMAC-SHA256 over <c>id.timestamp.body</c>, in base64 behind <c>v1,</c>.</summary>
internal static class WebhookSignature
{
    public static bool TryParseSecret(string? text, out byte[] secret)
    {
        secret = [];
        if (text is null || Tokens.Tail(text, "whsec_") is not { } encoded)
            return false;
        var bytes = new byte[encoded.Length];
        if (!Convert.TryFromBase64String(encoded, bytes, out var length) || length is < 24 or > 64)
            return false;
        secret = bytes[..length];
        return true;
    }

    /// <param name="timestamp">Unix seconds.</param>
    public static string Sign(byte[] secret, string id, long timestamp, ReadOnlySpan<byte> body)
    {
        var head = string.Create(CultureInfo.InvariantCulture, $"{id}.{timestamp}.");
        var signed = new byte[Encoding.UTF8.GetByteCount(head) + body.Length];
        var length = Encoding.UTF8.GetBytes(head, signed);
        body.CopyTo(signed.AsSpan(length));
        return "v1," + Convert.ToBase64String(HMACSHA256.HashData(secret, signed));
    }
}
