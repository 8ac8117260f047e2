namespace Payments.Domain.Providers.Stripe;

/// <summary>
/// Stripe's units of a currency. It counts ISK and UGX in hundredths although they have no minor unit, and MGA in whole units. The last
/// digit of a three-decimal amount must be 0. Source: docs.stripe.com/currencies, "Zero-decimal", "Special cases" and "Three-decimal
/// currencies".
/// </summary>
public static class StripeAmounts
{
    public static long? ToUnits(Money amount) =>
        amount.Currency.Exponent == 3 && amount.MinorUnits % 10 != 0 ? null : ProviderAmounts.ToUnits(amount, Exponent(amount.Currency));

    /// <exception cref="FormatException">The units are not a whole amount of the currency.</exception>
    public static Money FromUnits(long units, Currency currency) => ProviderAmounts.FromUnits(units, currency, Exponent(currency));

    private static int Exponent(Currency currency) => currency.Code switch
    {
        "ISK" or "UGX" => 2,
        "MGA" => 0,
        _ => currency.Exponent,
    };
}
