using System.Text.Json;
using System.Text.Json.Serialization;
using Payments.Domain.Pricing;

namespace Payments.Domain.Merchants;

/// <summary>An account of a merchant as the API shows it.</summary>
/// <param name="TestAccount">The id of the merchant's test account. Null on the test account itself.</param>
public sealed record MerchantResource(
    string Id, string Object, string Mode, string? TestAccount, string Name, string Country, string Status, FeePlan FeePlan,
    short PayoutDelayDays, IReadOnlyDictionary<string, string> Metadata,
    DateTimeOffset CreatedAt, DateTimeOffset UpdatedAt)
{
    public static MerchantResource Of(Merchant merchant) => new(
        merchant.Id.ToString(),
        "merchant",
        Database.DbText.Of(merchant.Id.Mode),
        merchant.Id.Mode == Domain.Mode.Live ? merchant.Id.In(Domain.Mode.Test).ToString() : null,
        merchant.Name,
        merchant.Country,
        Database.DbText.Of(merchant.Status),
        merchant.FeePlan,
        merchant.PayoutDelayDays,
        merchant.Metadata,
        merchant.CreatedAt,
        merchant.UpdatedAt);
}

/// <summary>A key as the API shows it. Only the answer that created the key has <see cref="Secret"/>.</summary>
public sealed record ApiKeyResource(
    string Id, string Object, string Merchant, string Mode, IReadOnlyList<string> Scopes, string Hint, string? Secret, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt,
    DateTimeOffset? RevokedAt)
{
    public static ApiKeyResource Of(ApiKey key, string? secret = null) => new(
        key.Id.ToString(), "api_key", key.Merchant.ToString(), Database.DbText.Of(key.Merchant.Mode),
        [.. key.Scopes.Select(Database.DbText.Of)], key.Hint, secret, key.CreatedAt,
        key.ExpiresAt, key.RevokedAt);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(UtcTimeJson)])]
[JsonSerializable(typeof(MerchantResource))]
[JsonSerializable(typeof(IReadOnlyList<MerchantResource>))]
[JsonSerializable(typeof(ApiKeyResource))]
[JsonSerializable(typeof(IReadOnlyList<ApiKeyResource>))]
[JsonSerializable(typeof(CreateMerchantRequest))]
[JsonSerializable(typeof(CreateApiKeyRequest))]
[JsonSerializable(typeof(FeePlan))]
[JsonSerializable(typeof(Dictionary<string, string>))]
[JsonSerializable(typeof(IReadOnlyDictionary<string, string>))]
public sealed partial class MerchantJson : JsonSerializerContext
{
    internal static FeePlan ReadFeePlan(string json) =>
        JsonSerializer.Deserialize(json, Default.FeePlan) ?? throw new JsonException("A stored fee plan is null.");

    internal static IReadOnlyDictionary<string, string> ReadMetadata(string json) =>
        JsonSerializer.Deserialize(json, Default.DictionaryStringString) ?? [];
}
