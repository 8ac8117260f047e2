using System.Security.Cryptography;
using System.Text;
using Payments.Domain.Audit;

namespace Payments.Domain.Merchants;

/// <summary>The rights of a merchant's key.</summary>
public enum ApiKeyScope
{
    Read,
    Write,
}

/// <summary>The sender of a request: the platform, or one merchant with one of its keys.</summary>
/// <param name="Merchant">Null for the platform.</param>
/// <param name="Operator">The name of the platform key. Null for a merchant's key.</param>
public sealed record Caller(MerchantId? Merchant, ApiKeyId? Key, bool CanWrite, string? Operator = null)
{
    public bool IsPlatform => Merchant is null;

    public static Caller Platform(string name, bool canWrite = true) => new(null, null, canWrite, name);

    /// <summary>The caller as the audit log names it.</summary>
    public Actor ActorOf(string? requestId = null) => Key is { } key ? new Actor(key.ToString(), requestId) : Actor.Platform(Operator!, requestId);
}

/// <summary>A key of a merchant's account as it is stored, without the key itself. Its mode is the account's mode.</summary>
/// <param name="Hint">The prefix and the last four characters, so that people can tell keys apart.</param>
public sealed record ApiKey(
    ApiKeyId Id, MerchantId Merchant, IReadOnlyList<ApiKeyScope> Scopes, string Hint,
    DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, DateTimeOffset? RevokedAt);

/// <summary>The text of a key: <c>sk_test_</c> or <c>sk_live_</c> and 43 characters that hold 256 random bits.</summary>
public static class ApiKeySecret
{
    public const string TestPrefix = "sk_test_";
    public const string LivePrefix = "sk_live_";

    public static string Generate(Mode mode)
    {
        var prefix = mode switch
        {
            Mode.Test => TestPrefix,
            Mode.Live => LivePrefix,
        };
        var random = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)).TrimEnd('=').Replace('+', '-').Replace('/', '_');
        return prefix + random;
    }

    /// <summary>
    /// The hash that is stored and looked up. A key has 256 random bits, so an unsalted SHA-256 cannot be reversed by search.
    /// </summary>
    public static byte[] Hash(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));

    public static string Hint(string secret) => $"{secret[..8]}...{secret[^4..]}";
}
