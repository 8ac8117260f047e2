using System.Globalization;

namespace Payments.Domain.Providers;

/// <summary>Converts amounts for providers that count a currency in other units than ISO 4217.</summary>
public static class ProviderAmounts
{
    /// <returns>The amount in units of ten to the minus <paramref name="exponent"/>. Null if it is not a whole number of them.</returns>
    public static long? ToUnits(Money amount, int exponent)
    {
        var factor = Factor(amount.Currency.Exponent, exponent);
        return exponent >= amount.Currency.Exponent ? checked(amount.MinorUnits * factor)
            : amount.MinorUnits % factor == 0 ? amount.MinorUnits / factor
            : null;
    }

    /// <exception cref="FormatException">The units are not a whole number of minor units, or exceed the largest amount.</exception>
    public static Money FromUnits(long units, Currency currency, int exponent)
    {
        var factor = Factor(currency.Exponent, exponent);
        return exponent <= currency.Exponent
            ? units <= long.MaxValue / factor && units >= long.MinValue / factor ? new Money(units * factor, currency)
                : throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"{units} is more of {currency} than an amount can be."))
            : units % factor == 0 ? new Money(units / factor, currency)
            : throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"{units} is no whole amount of {currency}."));
    }

    private static long Factor(int one, int other)
    {
        var factor = 1L;
        for (var i = 0; i < Math.Abs(one - other); i++)
            factor *= 10;
        return factor;
    }
}
