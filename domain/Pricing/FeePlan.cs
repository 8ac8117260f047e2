namespace Payments.Domain.Pricing;

/// <summary>What one currency costs: a share of the amount plus a fixed part, never below the minimum. Fixed parts are minor units.</summary>
/// <param name="Currency">ISO 4217 code; null is the rule for every currency without one of its own.</param>
public sealed record FeeRule(string? Currency, int BasisPoints, long Fixed, long Minimum = 0);

/// <summary>How much the platform keeps of a captured amount.</summary>
public sealed record FeePlan(IReadOnlyList<FeeRule> Rules)
{
    /// <summary>What disputes cost; null means <see cref="DisputeFeePlan.Standard"/>.</summary>
    public DisputeFeePlan? Disputes { get; init; }

    /// <summary>2.9 % and, where a fixed part makes sense in the currency, 30 minor units.</summary>
    public static FeePlan Standard { get; } = new([new("JPY", 290, 30), new("KWD", 290, 100), new(null, 290, 30)]);

    /// <summary>Why the plan cannot be used, or null.</summary>
    public Refusal? Validate(string param)
    {
        for (var i = 0; i < Rules.Count; i++)
        {
            var rule = Rules[i];
            var at = $"{param}.rules[{i}]";
            if (rule.Currency is not null && !Domain.Currency.TryParse(rule.Currency, out _))
                return Refusal.Invalid($"{at}.currency", $"'{rule.Currency}' is not an ISO 4217 currency code.");
            if (rule.BasisPoints is < 0 or > 10_000)
                return Refusal.Invalid($"{at}.basis_points", "A share is between 0 and 10000 basis points.");
            if (rule.Fixed is < 0 or > 1_000_000)
                return Refusal.Invalid($"{at}.fixed", "The fixed part is between 0 and 1000000 minor units.");
            if (rule.Minimum is < 0 or > 1_000_000)
                return Refusal.Invalid($"{at}.minimum", "The minimum is between 0 and 1000000 minor units.");
        }

        if (Rules.Select(rule => rule.Currency?.ToUpperInvariant()).Distinct(StringComparer.Ordinal).Count() != Rules.Count)
            return Refusal.Invalid($"{param}.rules", "Each currency has one rule.");
        return Disputes?.Validate($"{param}.disputes");
    }

    /// <summary>
    /// The fee of a captured amount. The share is rounded half away from zero to a whole minor unit. A currency without a rule is free.
    /// </summary>
    public Money FeeFor(Money amount)
    {
        var rule = Rules.FirstOrDefault(r => string.Equals(r.Currency, amount.Currency.Code, StringComparison.OrdinalIgnoreCase))
            ?? Rules.FirstOrDefault(r => r.Currency is null);
        if (rule is null)
            return Money.Zero(amount.Currency);
        var fee = amount.BasisPoints(rule.BasisPoints).MinorUnits + rule.Fixed;
        return new Money(Math.Max(fee, rule.Minimum), amount.Currency);
    }
}
