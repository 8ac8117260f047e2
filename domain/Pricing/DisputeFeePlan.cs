using System.Text.Json;
using System.Text.Json.Serialization;

namespace Payments.Domain.Pricing;

/// <summary>What a merchant's plan charges for disputes, in minor units of the currency the merchant is charged in.</summary>
/// <param name="Chargeback">Charged once when the dispute first takes money.</param>
/// <param name="PreArbitration">Charged in addition once pre-arbitration is reached.</param>
/// <param name="Arbitration">Charged in addition once arbitration is reached.</param>
/// <param name="RefundedWhenWon">Whether all of them come back while the dispute stands as won.</param>
public sealed record DisputeFees(long Chargeback, long PreArbitration, long Arbitration, bool RefundedWhenWon)
{
    public static DisputeFees None { get; } = new(0, 0, 0, false);
}

/// <summary>The dispute fees of one currency, in its minor units.</summary>
/// <param name="Currency">ISO 4217 code; null is the rule for every currency without one of its own.</param>
public sealed record DisputeFeeRule(string? Currency, long Chargeback, long PreArbitration = 0, long Arbitration = 0);

/// <summary>What disputes cost a merchant: the part <c>disputes</c> of its fee plan.</summary>
public sealed record DisputeFeePlan(IReadOnlyList<DisputeFeeRule> Rules, bool RefundedWhenWon)
{
    /// <summary>15.00 for a chargeback in most currencies, given back when it is won. What a plan that says nothing means.</summary>
    public static DisputeFeePlan Standard { get; } = new([new("JPY", 2000), new("KWD", 5000), new(null, 1500)], RefundedWhenWon: true);

    /// <summary>Why the plan cannot be used, or null.</summary>
    public Refusal? Validate(string param)
    {
        if (Rules is null)
            return Refusal.Invalid($"{param}.rules", "State the rules, which may be none.");
        for (var i = 0; i < Rules.Count; i++)
        {
            var rule = Rules[i];
            if (rule.Currency is not null && !Domain.Currency.TryParse(rule.Currency, out _))
                return Refusal.Invalid($"{param}.rules[{i}].currency", $"'{rule.Currency}' is not an ISO 4217 currency code.");
            if (rule.Chargeback is < 0 or > 1_000_000 || rule.PreArbitration is < 0 or > 1_000_000 || rule.Arbitration is < 0 or > 1_000_000)
                return Refusal.Invalid($"{param}.rules[{i}]", "Fees are between 0 and 1000000 minor units.");
        }

        return Rules.Select(rule => rule.Currency?.ToUpperInvariant()).Distinct(StringComparer.Ordinal).Count() == Rules.Count
            ? null
            : Refusal.Invalid($"{param}.rules", "Each currency has one rule.");
    }

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
