using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using NSec.Cryptography;

namespace Payments.Domain.Webhooks;

/// <summary>
/// The asymmetric signatures of Standard Webhooks 1.0: Ed25519 (RFC 8032) over <c>id.timestamp.body</c>, in base64 after <c>v1a,</c>.
/// The receiver holds only the public key, so a signature that it verified proves that the platform sent the message.
/// </summary>
public static class StandardWebhooksEd25519
{
    /// <summary>The prefix of a private key.</summary>
    public const string PrivatePrefix = "whsk_";

    /// <summary>The prefix of a public key.</summary>
    public const string PublicPrefix = "whpk_";

    private const string SignaturePrefix = "v1a,";
    private const int SeedSize = 32;
    private const int PublicSize = 32;
    private const int SignatureSize = 64;

    /// <summary>A new private key: <c>whsk_</c> and the base64 of RFC 8032's seed and public key, 64 bytes.</summary>
    public static string NewPrivateKey()
    {
        Span<byte> key = stackalloc byte[SeedSize + PublicSize];
        try
        {
            RandomNumberGenerator.Fill(key[..SeedSize]);
            using var signing = Key.Import(SignatureAlgorithm.Ed25519, key[..SeedSize], KeyBlobFormat.RawPrivateKey);
            signing.PublicKey.Export(KeyBlobFormat.RawPublicKey).CopyTo(key[SeedSize..]);
            return PrivatePrefix + Convert.ToBase64String(key);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    /// <summary>The public key (<c>whpk_...</c>) of a private key.</summary>
    /// <exception cref="FormatException">The text is not a private key.</exception>
    public static string PublicKeyOf(string privateKey)
    {
        using var key = PrivateKey(privateKey) ?? throw new FormatException("The text is no private key of Standard Webhooks.");
        return PublicPrefix + Convert.ToBase64String(key.PublicKey.Export(KeyBlobFormat.RawPublicKey));
    }

    /// <summary>
    /// The private key of a text, or null if it is not one. The text may hold the seed alone, or the seed and its public key. A public key
    /// that does not match is refused.
    /// </summary>
    internal static Key? PrivateKey(string text)
    {
        Span<byte> bytes = stackalloc byte[SeedSize + PublicSize];
        try
        {
            if (!Decode(text, PrivatePrefix, bytes, out var length) || length is not (SeedSize or SeedSize + PublicSize))
                return null;
            var key = Key.Import(SignatureAlgorithm.Ed25519, bytes[..SeedSize], KeyBlobFormat.RawPrivateKey);
            if (length == SeedSize || bytes[SeedSize..].SequenceEqual(key.PublicKey.Export(KeyBlobFormat.RawPublicKey)))
                return key;
            key.Dispose();
            return null;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }

    /// <summary>The public key of a text, or null if it is not one.</summary>
    internal static PublicKey? PublicKey(string text)
    {
        Span<byte> bytes = stackalloc byte[PublicSize];
        return Decode(text, PublicPrefix, bytes, out var length) && length == PublicSize
            && NSec.Cryptography.PublicKey.TryImport(SignatureAlgorithm.Ed25519, bytes, KeyBlobFormat.RawPublicKey, out var key) ? key : null;
    }

    /// <returns>One signature: <c>v1a,...</c>.</returns>
    internal static string Sign(Key key, string id, long unixSeconds, ReadOnlySpan<byte> body) =>
        SignaturePrefix + Convert.ToBase64String(SignatureAlgorithm.Ed25519.Sign(key, Signed(id, unixSeconds, body)));

    /// <summary>Whether one of the header's first <see cref="StandardWebhooks.MostSignatures"/> entries is a signature of any of the keys.</summary>
    internal static bool Verify(IReadOnlyList<PublicKey> keys, string id, long unixSeconds, ReadOnlySpan<byte> body, string signatures)
    {
        Span<byte> given = stackalloc byte[SignatureSize];
        var looked = 0;
        byte[]? signed = null;
        foreach (var range in signatures.AsSpan().Split(' '))
        {
            if (looked++ == StandardWebhooks.MostSignatures)
                break;
            var signature = signatures.AsSpan()[range];
            if (!signature.StartsWith(SignaturePrefix, StringComparison.Ordinal)
                || !Convert.TryFromBase64Chars(signature[SignaturePrefix.Length..], given, out var length)
                || length != SignatureSize)
            {
                continue;
            }

            signed ??= Signed(id, unixSeconds, body);
            foreach (var key in keys)
            {
                if (SignatureAlgorithm.Ed25519.Verify(key, signed, given))
                    return true;
            }
        }

        return false;
    }

    private static byte[] Signed(string id, long unixSeconds, ReadOnlySpan<byte> body)
    {
        var head = string.Create(CultureInfo.InvariantCulture, $"{id}.{unixSeconds}.");
        var size = Encoding.UTF8.GetByteCount(head);
        var signed = new byte[size + body.Length];
        Encoding.UTF8.GetBytes(head, signed);
        body.CopyTo(signed.AsSpan(size));
        return signed;
    }

    private static bool Decode(string text, string prefix, Span<byte> bytes, out int length)
    {
        length = 0;
        return text.Length <= 128 && text.StartsWith(prefix, StringComparison.Ordinal) && Convert.TryFromBase64Chars(text.AsSpan(prefix.Length), bytes, out length);
    }
}
