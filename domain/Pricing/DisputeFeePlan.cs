using System.Text.Json;
using System.Text.Json.Serialization;

namespace Payments.Domain.Pricing;

/// <summary>What a merchant's plan charges for disputes, in minor units of the currency the merchant is charged in.</summary>
/// <param name="Chargeback">Charged once when the dispute first takes money.</param>
/// <param name="PreArbitration">Charged in addition once pre-arbitration is reached.</param>
/// <param name="Arbitration">Charged in addition once arbitration is reached.</param>
/// <param name="RefundedWhenWon">Whether the merchant gets all of them back while the dispute stands as won.</param>
public sealed record DisputeFees(long Chargeback, long PreArbitration, long Arbitration, bool RefundedWhenWon)
{
    public static DisputeFees None { get; } = new(0, 0, 0, false);
}

/// <summary>The dispute fees of one currency, in its minor units.</summary>
/// <param name="Currency">
/// ISO 4217 code. Null: the rule for every currency without a rule of its own, in the minor units of that currency.
/// </param>
public sealed record DisputeFeeRule(string? Currency, long Chargeback, long PreArbitration = 0, long Arbitration = 0);

/// <summary>What disputes cost a merchant: the part <c>disputes</c> of its fee plan.</summary>
public sealed record DisputeFeePlan(IReadOnlyList<DisputeFeeRule> Rules, bool RefundedWhenWon)
{
    /// <summary>The largest fee, in minor units.</summary>
    public const long Maximum = 100_000_000;

    /// <summary>
    /// The dispute fees of a plan that names none: 15.00 for a chargeback in every currency with two decimals. The merchant gets it back if
    /// the dispute is won. Every other currency has an amount of its own, of about the same worth, because 1500 of its minor units would be
    /// another sum. docs/disputes.md has the same list.
    /// </summary>
    public static DisputeFeePlan Standard { get; } = new(
        [
            new("BIF", 45_000), new("CLP", 15_000), new("DJF", 2_700), new("GNF", 130_000), new("ISK", 2_000), new("JPY", 2_000),
            new("KMF", 7_000), new("KRW", 20_000), new("PYG", 110_000), new("RWF", 20_000), new("UGX", 55_000), new("UYI", 100),
            new("VND", 380_000), new("VUV", 1_800), new("XAF", 9_000), new("XOF", 9_000), new("XPF", 1_700),
            new("BHD", 6_000), new("IQD", 20_000_000), new("JOD", 11_000), new("KWD", 5_000), new("LYD", 75_000), new("OMR", 6_000),
            new("TND", 45_000),
            new(null, 1500),
        ],
        RefundedWhenWon: true);

    /// <summary>Why the plan cannot be used, or null.</summary>
    public Refusal? Validate(string param)
    {
        if (Rules is null)
            return Refusal.Invalid($"{param}.rules", "`rules` is required. Send an empty list to charge no fees.");
        for (var i = 0; i < Rules.Count; i++)
        {
            var rule = Rules[i];
            if (rule.Currency is not null && !Domain.Currency.TryParse(rule.Currency, out _))
                return Refusal.Invalid($"{param}.rules[{i}].currency", $"'{rule.Currency}' is not an ISO 4217 currency code.");
            if (rule.Chargeback is < 0 or > Maximum || rule.PreArbitration is < 0 or > Maximum || rule.Arbitration is < 0 or > Maximum)
                return Refusal.Invalid($"{param}.rules[{i}]", $"Each fee must be from 0 to {Maximum} minor units.");
        }

        return Rules.Select(rule => rule.Currency?.ToUpperInvariant()).Distinct(StringComparer.Ordinal).Count() == Rules.Count
            ? null
            : Refusal.Invalid($"{param}.rules", "`rules` must hold only one rule for each currency.");
    }

    /// <summary>A currency without a rule is free.</summary>
    public DisputeFees FeesFor(Currency currency)
    {
        var rule = Rules.FirstOrDefault(r => string.Equals(r.Currency, currency.Code, StringComparison.OrdinalIgnoreCase)) ?? Rules.FirstOrDefault(r => r.Currency is null);
        return rule is null ? DisputeFees.None : new DisputeFees(rule.Chargeback, rule.PreArbitration, rule.Arbitration, RefundedWhenWon);
    }

    /// <param name="json">The stored part; null if the plan has none.</param>
    internal static DisputeFeePlan Read(string? json) =>
        json is null ? Standard : JsonSerializer.Deserialize(json, DisputeFeePlanJson.Default.DisputeFeePlan) ?? Standard;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(DisputeFeePlan))]
internal sealed partial class DisputeFeePlanJson : JsonSerializerContext;
