using System.Security.Cryptography;
using System.Text;

namespace Payments.Domain.Idempotency;

/// <summary>
/// The caller's name for one intended effect (IETF draft-ietf-httpapi-idempotency-key-header-07). A request that is repeated with the same
/// key has the effect once, and the same answer each time. Keys belong to a merchant: two merchants may use the same one.
/// </summary>
public readonly record struct IdempotencyKey(string Value)
{
    public const int MaximumLength = 255;

    /// <summary>Reads the header. The draft's quoted form and the bare one that most clients send name the same key.</summary>
    public static Result<IdempotencyKey> Read(string? header)
    {
        if (string.IsNullOrEmpty(header))
        {
            return new Refusal(
                RefusalCode.IdempotencyKeyMissing,
                "The Idempotency-Key header is required. Use a new value for each new effect, and the same value to repeat a request.");
        }

        var value = header.Length > 2 && header[0] == '"' && header[^1] == '"' ? header[1..^1] : header;
        if (value.Length is 0 or > MaximumLength || value.Any(c => c is < '!' or > '~'))
        {
            return new Refusal(
                RefusalCode.IdempotencyKeyInvalid, $"The Idempotency-Key header must have 1 to {MaximumLength} printable ASCII characters without spaces.");
        }

        return new IdempotencyKey(value);
    }

    public override string ToString() => Value;
}

/// <summary>A digest of a request. The same key with another digest is another request, and is refused.</summary>
public static class RequestFingerprint
{
    /// <summary>SHA-256 over method, path and the raw bytes of the body.</summary>
    public static byte[] Of(string method, string path, ReadOnlySpan<byte> body)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{method} {path}\n"));
        hash.AppendData(body);
        return hash.GetHashAndReset();
    }
}

/// <summary>An answer as it was first given, stored so that repeats get the same bytes.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Body">The JSON document, UTF-8.</param>
/// <param name="Replayed">True if the answer was given before.</param>
public sealed record StoredResponse(int Status, byte[] Body, bool Replayed = false)
{
    /// <summary>The body holds a secret, so it is stored encrypted.</summary>
    public bool HoldsSecret { get; init; }
}

/// <summary>A request that must have its effect only once.</summary>
/// <param name="Merchant">The merchant that the key belongs to. The nil id for keys of the platform.</param>
public sealed record IdempotentRequest(MerchantId Merchant, IdempotencyKey Key, byte[] Fingerprint);
