namespace Payments.Domain.Providers.Adyen;

/// <summary>
/// Adyen's units of a currency. It counts CLP and ISK in hundredths although they have no minor unit, and CVE and IDR in whole units.
/// Source: docs.adyen.com/development-resources/currency-codes.
/// </summary>
public static class AdyenAmounts
{
    public static long? ToUnits(Money amount) => ProviderAmounts.ToUnits(amount, Exponent(amount.Currency));

    /// <exception cref="FormatException">The units are not a whole amount of the currency.</exception>
    public static Money FromUnits(long units, Currency currency) => ProviderAmounts.FromUnits(units, currency, Exponent(currency));

    private static int Exponent(Currency currency) => currency.Code switch
    {
        "CLP" or "ISK" => 2,
        "CVE" or "IDR" => 0,
        _ => currency.Exponent,
    };
}
