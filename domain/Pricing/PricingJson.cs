using System.Text.Json;
using System.Text.Json.Serialization;

namespace Payments.Domain.Pricing;

/// <summary>A version of a merchant's plan as the API shows it.</summary>
/// <param name="Status"><c>in_force</c>, <c>scheduled</c> or <c>superseded</c>, at the time of the answer.</param>
public sealed record FeePlanVersionResource(
    string Object, string Merchant, int Version, string Status, DateTimeOffset EffectiveFrom, FeePlan Plan, DateTimeOffset CreatedAt, string CreatedBy)
{
    public static FeePlanVersionResource Of(MerchantId merchant, FeePlanHistory history, FeePlanVersion version, DateTimeOffset now) => new(
        "fee_plan_version", merchant.ToString(), version.Version,
        version == history.At(now) ? "in_force" : version.EffectiveFrom > now ? "scheduled" : "superseded",
        version.EffectiveFrom, version.Plan, version.CreatedAt, version.CreatedBy);
}

/// <param name="InForce">The version that prices captures now.</param>
/// <param name="Versions">All versions, the newest first.</param>
public sealed record FeePlanResource(string Object, string Merchant, int InForce, IReadOnlyList<FeePlanVersionResource> Versions)
{
    public static FeePlanResource Of(MerchantId merchant, FeePlanHistory history, DateTimeOffset now) => new(
        "fee_plan", merchant.ToString(), history.At(now).Version,
        [.. history.Versions.OrderByDescending(version => version.Version).Select(version => FeePlanVersionResource.Of(merchant, history, version, now))]);
}

/// <param name="Plan">The whole plan. Nothing is taken over from the version before.</param>
/// <param name="EffectiveFrom">At least a minute in the future. The default is a minute from now.</param>
public sealed record PutFeePlanRequest(FeePlan? Plan, DateTimeOffset? EffectiveFrom);

/// <summary>What a capture would cost, in minor units.</summary>
/// <param name="Net">What the merchant keeps.</param>
/// <param name="VolumeBefore">The month's volume before the capture, as the quote used it; null if the rule has no tiers.</param>
public sealed record FeeQuoteResource(
    string Object, string Merchant, long Amount, string Currency, long Fee, long Net, int PlanVersion, DateTimeOffset EffectiveAt, FeeRuleSelector? Rule, long? VolumeBefore,
    IReadOnlyList<FeePart> Parts);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(UtcTimeJson)])]
[JsonSerializable(typeof(FeePlan))]
[JsonSerializable(typeof(FeePlanResource))]
[JsonSerializable(typeof(FeePlanVersionResource))]
[JsonSerializable(typeof(PutFeePlanRequest))]
[JsonSerializable(typeof(FeeQuoteResource))]
[JsonSerializable(typeof(IReadOnlyList<FeeDetail>))]
[JsonSerializable(typeof(List<FeePlanVersion>))]
public sealed partial class PricingJson : JsonSerializerContext
{
    internal static string? WriteDetails(IReadOnlyList<FeeDetail> details) => details.Count == 0 ? null : JsonSerializer.Serialize(details, Default.IReadOnlyListFeeDetail);

    internal static IReadOnlyList<FeeDetail> ReadDetails(string? json) => json is null ? [] : JsonSerializer.Deserialize(json, Default.IReadOnlyListFeeDetail) ?? [];

    /// <param name="first">The merchant's first plan, from the beginning on.</param>
    /// <param name="later">The later versions as <see cref="PricingSql.LaterVersions"/> returns them; null for none.</param>
    internal static FeePlanHistory ReadHistory(FeePlan first, DateTimeOffset since, string? later)
    {
        var one = new FeePlanVersion(1, since, first, since, "platform");
        return new FeePlanHistory(later is null ? [one] : [one, .. JsonSerializer.Deserialize(later, Default.ListFeePlanVersion) ?? []]);
    }
}
