namespace Payments.Domain.Charges;

/// <summary>The platform's limits, from the settings section <c>Charges</c>.</summary>
public sealed class ChargesOptions
{
    /// <summary>
    /// The smallest and the largest amount by ISO 4217 code. A currency without an entry has the limits of <see cref="ChargeLimits"/>.
    /// </summary>
    public Dictionary<string, AmountLimits> Limits { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The refusal of an amount outside the limits, or null.</summary>
    public Refusal? Refuse(Money amount)
    {
        var limits = Limits.GetValueOrDefault(amount.Currency.Code) ?? new AmountLimits();
        if (amount.MinorUnits < limits.Minimum)
        {
            return new Refusal(
                RefusalCode.AmountTooSmall, $"`amount` must be at least {new Money(limits.Minimum, amount.Currency)}.", "amount");
        }

        return amount.MinorUnits > limits.Maximum
            ? new Refusal(RefusalCode.AmountTooLarge, $"`amount` must be at most {new Money(limits.Maximum, amount.Currency)}.", "amount")
            : null;
    }

    /// <summary>Whether every entry names a currency, and its minimum and maximum are valid.</summary>
    internal bool AreValid() => Limits.All(limit =>
        Currency.TryParse(limit.Key, out _) && limit.Value.Minimum >= ChargeLimits.Minimum && limit.Value.Minimum <= limit.Value.Maximum && limit.Value.Maximum <= ChargeLimits.Maximum);
}

/// <summary>Amounts of one currency, in its minor units.</summary>
public sealed class AmountLimits
{
    public long Minimum { get; set; } = ChargeLimits.Minimum;

    public long Maximum { get; set; } = ChargeLimits.Maximum;
}
