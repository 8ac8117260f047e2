using System.Text.Json;
using System.Text.Json.Serialization;

namespace Payments.Domain.Disputes;

/// <summary>The dispute fees of one currency, in its minor units.</summary>
/// <param name="Currency">ISO 4217 code; null is the rule for every currency without one of its own.</param>
public sealed record DisputeFeeRule(string? Currency, long Chargeback, long PreArbitration = 0, long Arbitration = 0);

/// <summary>What disputes cost a merchant: the part <c>disputes</c> of its fee plan.</summary>
public sealed record DisputeFeePlan(IReadOnlyList<DisputeFeeRule> Rules, bool RefundedWhenWon)
{
    /// <summary>15.00 for a chargeback in most currencies, given back when it is won. What a plan that says nothing means.</summary>
    public static DisputeFeePlan Standard { get; } = new([new("JPY", 2000), new("KWD", 5000), new(null, 1500)], RefundedWhenWon: true);

    /// <summary>A currency without a rule is free.</summary>
    public DisputeFees FeesFor(Currency currency)
    {
        var rule = Rules.FirstOrDefault(r => string.Equals(r.Currency, currency.Code, StringComparison.OrdinalIgnoreCase)) ?? Rules.FirstOrDefault(r => r.Currency is null);
        return rule is null ? DisputeFees.None : new DisputeFees(rule.Chargeback, rule.PreArbitration, rule.Arbitration, RefundedWhenWon);
    }

    /// <param name="json">The stored part, or null where the plan has none.</param>
    internal static DisputeFeePlan Read(string? json) =>
        json is null ? Standard : JsonSerializer.Deserialize(json, DisputeFeePlanJson.Default.DisputeFeePlan) ?? Standard;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(DisputeFeePlan))]
internal sealed partial class DisputeFeePlanJson : JsonSerializerContext;
