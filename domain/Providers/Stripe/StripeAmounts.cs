namespace Payments.Domain.Providers.Stripe;

/// <summary>
/// Stripe's units of a currency. Source: docs.stripe.com/currencies, "Zero-decimal", "Special cases" and "Three-decimal currencies": ISK and UGX
/// are counted in hundredths though they have none, MGA in whole units, and the last digit of a three-decimal amount must be 0.
/// </summary>
public static class StripeAmounts
{
    public static long? ToUnits(Money amount) =>
        amount.Currency.Exponent == 3 && amount.MinorUnits % 10 != 0 ? null : ProviderAmounts.ToUnits(amount, Exponent(amount.Currency));

    /// <exception cref="FormatException">The units are no whole amount of the currency.</exception>
    public static Money FromUnits(long units, Currency currency) => ProviderAmounts.FromUnits(units, currency, Exponent(currency));

    private static int Exponent(Currency currency) => currency.Code switch
    {
        "ISK" or "UGX" => 2,
        "MGA" => 0,
        _ => currency.Exponent,
    };
}
