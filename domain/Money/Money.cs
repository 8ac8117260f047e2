using System.Globalization;

namespace Payments.Domain;

/// <summary>
/// An amount of money: whole minor units of one currency. Arithmetic is checked. An overflow, or a sum of two currencies, is a bug and
/// throws, so no result is ever a wrong amount.
/// </summary>
public readonly struct Money : IEquatable<Money>, IComparable<Money>
{
    private readonly Currency? _currency;

    public Money(long minorUnits, Currency currency)
    {
        ArgumentNullException.ThrowIfNull(currency);
        MinorUnits = minorUnits;
        _currency = currency;
    }

    /// <summary>The amount in minor units: 1050 is EUR 10.50, JPY 1050 and KWD 1.050.</summary>
    public long MinorUnits { get; }

    /// <exception cref="InvalidOperationException">The value is <c>default(Money)</c>, which has no currency.</exception>
    public Currency Currency => _currency ?? throw new InvalidOperationException("default(Money) is not an amount: it has no currency.");

    public bool IsZero => MinorUnits == 0;

    public bool IsPositive => MinorUnits > 0;

    public bool IsNegative => MinorUnits < 0;

    public static Money Zero(Currency currency) => new(0, currency);

    public static Money operator +(Money left, Money right) => new(checked(left.MinorUnits + right.InCurrencyOf(left)), left.Currency);

    public static Money operator -(Money left, Money right) => new(checked(left.MinorUnits - right.InCurrencyOf(left)), left.Currency);

    public static Money operator -(Money money) => new(checked(-money.MinorUnits), money.Currency);

    public static bool operator ==(Money left, Money right) => left.Equals(right);

    public static bool operator !=(Money left, Money right) => !left.Equals(right);

    public static bool operator <(Money left, Money right) => left.CompareTo(right) < 0;

    public static bool operator >(Money left, Money right) => left.CompareTo(right) > 0;

    public static bool operator <=(Money left, Money right) => left.CompareTo(right) <= 0;

    public static bool operator >=(Money left, Money right) => left.CompareTo(right) >= 0;

    /// <summary>
    /// Splits the amount in proportion to the weights without losing a minor unit. Each part is rounded towards zero. The units left over
    /// go one each to the parts with the largest remainders, and among equals to the earlier part.
    /// </summary>
    /// <exception cref="ArgumentException">No weights, a negative weight, or all weights zero.</exception>
    public IReadOnlyList<Money> Split(params ReadOnlySpan<long> weights)
    {
        Int128 total = 0;
        foreach (var weight in weights)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(weight, nameof(weights));
            total += weight;
        }

        if (total == 0)
        {
            throw new ArgumentException("At least one weight must be positive.", nameof(weights));
        }

        var currency = Currency;
        var parts = new long[weights.Length];
        var remainders = new (Int128 Size, int Index)[weights.Length];
        var left = MinorUnits;
        for (var i = 0; i < weights.Length; i++)
        {
            var (quotient, remainder) = Int128.DivRem((Int128)MinorUnits * weights[i], total);
            parts[i] = (long)quotient;
            remainders[i] = (Int128.Abs(remainder), i);
            left -= parts[i];
        }

        foreach (var (_, index) in remainders.OrderByDescending(r => r.Size).ThenBy(r => r.Index).Take((int)Math.Abs(left)))
        {
            parts[index] += Math.Sign(left);
        }

        return [.. parts.Select(part => new Money(part, currency))];
    }

    /// <summary>
    /// A share of the amount in basis points (1 bp = 0.01 %), rounded half away from zero to a whole minor unit. Merchants expect this
    /// rounding of a percentage fee.
    /// </summary>
    public Money BasisPoints(int basisPoints)
    {
        var (quotient, remainder) = Int128.DivRem((Int128)MinorUnits * basisPoints, 10_000);
        var rounded = Int128.Abs(remainder) >= 5_000 ? quotient + Int128.Sign(remainder) : quotient;
        return new Money(checked((long)rounded), Currency);
    }

    public int CompareTo(Money other) => MinorUnits.CompareTo(other.InCurrencyOf(this));

    public bool Equals(Money other) => MinorUnits == other.MinorUnits && ReferenceEquals(_currency, other._currency);

    public override bool Equals(object? obj) => obj is Money other && Equals(other);

    public override int GetHashCode() => HashCode.Combine(MinorUnits, _currency);

    /// <summary>The amount in major units with the currency's digits, for people: <c>10.50 EUR</c>.</summary>
    public override string ToString()
    {
        if (_currency is null)
        {
            return "no amount";
        }

        var digits = Int128.Abs(MinorUnits).ToString(CultureInfo.InvariantCulture).PadLeft(_currency.Exponent + 1, '0');
        var major = digits[..^_currency.Exponent];
        var sign = MinorUnits < 0 ? "-" : "";
        return _currency.Exponent == 0 ? $"{sign}{major} {_currency}" : $"{sign}{major}.{digits[^_currency.Exponent..]} {_currency}";
    }

    private long InCurrencyOf(Money other) =>
        ReferenceEquals(Currency, other.Currency)
            ? MinorUnits
            : throw new InvalidOperationException($"{Currency} and {other.Currency} cannot be mixed: exchange one of them first.");
}
