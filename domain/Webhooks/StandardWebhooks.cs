using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Payments.Domain.Webhooks;

/// <summary>
/// The symmetric signatures of Standard Webhooks 1.0 (https://www.standardwebhooks.com): HMAC-SHA256 over <c>id.timestamp.body</c>, in
/// base64 after <c>v1,</c>. Spaces separate several signatures, and any of them may match.
/// </summary>
public static class StandardWebhooks
{
    public const string IdHeader = "webhook-id";
    public const string TimestampHeader = "webhook-timestamp";
    public const string SignatureHeader = "webhook-signature";

    /// <summary>
    /// How many signatures of a header are checked. A sender that changes its secret has a few, and each costs the receiver time.
    /// </summary>
    public const int MostSignatures = 16;

    private const string SecretPrefix = "whsec_";
    private const string SignaturePrefix = "v1,";

    /// <summary>A new secret: <c>whsec_</c> and the base64 of 32 random bytes (the specification allows 24 to 64).</summary>
    public static string NewSecret() => SecretPrefix + Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    /// <summary>The key of a secret, or null if the text is not a secret.</summary>
    public static byte[]? KeyOf(string secret)
    {
        var text = secret.StartsWith(SecretPrefix, StringComparison.Ordinal) ? secret.AsSpan(SecretPrefix.Length) : secret;
        var bytes = new byte[96];
        return text.Length <= 128 && Convert.TryFromBase64Chars(text, bytes, out var length) && length is >= 24 and <= 64 ? bytes[..length] : null;
    }

    /// <param name="unixSeconds">The time of this attempt. Each attempt has a new signature under the same id.</param>
    /// <returns>One signature: <c>v1,...</c>.</returns>
    public static string Sign(ReadOnlySpan<byte> key, string id, long unixSeconds, ReadOnlySpan<byte> body)
    {
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        Hash(key, id, unixSeconds, body, hash);
        return SignaturePrefix + Convert.ToBase64String(hash);
    }

    /// <summary>Whether one of the header's first <see cref="MostSignatures"/> entries is a signature of any of the keys, compared in constant time.</summary>
    public static bool Verify(IReadOnlyList<byte[]> keys, string id, long unixSeconds, ReadOnlySpan<byte> body, string signatures)
    {
        Span<byte> given = stackalloc byte[HMACSHA256.HashSizeInBytes];
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        var matches = false;
        foreach (var key in keys)
        {
            Hash(key, id, unixSeconds, body, hash);
            var looked = 0;
            foreach (var range in signatures.AsSpan().Split(' '))
            {
                if (looked++ == MostSignatures)
                    break;
                var signature = signatures.AsSpan()[range];
                if (signature.StartsWith(SignaturePrefix, StringComparison.Ordinal)
                    && Convert.TryFromBase64Chars(signature[SignaturePrefix.Length..], given, out var length)
                    && length == given.Length)
                {
                    matches |= CryptographicOperations.FixedTimeEquals(given, hash);
                }
            }
        }

        return matches;
    }

    private static void Hash(ReadOnlySpan<byte> key, string id, long unixSeconds, ReadOnlySpan<byte> body, Span<byte> hash)
    {
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
        hmac.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{id}.{unixSeconds}.")));
        hmac.AppendData(body);
        hmac.GetHashAndReset(hash);
    }
}
