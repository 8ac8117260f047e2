using System.Collections.Frozen;
using System.Text.Json.Serialization;

namespace Payments.Domain.Pricing;

/// <summary>Where a card comes from, seen from the merchant.</summary>
[JsonConverter(typeof(SnakeCaseEnum<CardRegion>))]
public enum CardRegion
{
    /// <summary>Issued in the merchant's own country.</summary>
    Domestic,

    /// <summary>Issued in another country. Both countries are in the European Economic Area.</summary>
    Eea,

    /// <summary>Issued anywhere else.</summary>
    International,
}

/// <summary>A capture as pricing sees it: the amount and what is known of the payment method when it is captured.</summary>
/// <param name="Method">The kind of payment method. Null if unknown: a rule that names a method then does not match.</param>
/// <param name="CardRegion">Null if the card's country is unknown.</param>
public sealed record FeeSubject(Money Amount, string? Method = null, string? CardBrand = null, CardRegion? CardRegion = null)
{
    public const string CardMethod = "card";

    // The European Union, Iceland, Liechtenstein and Norway: ISO 3166-1.
    private static readonly FrozenSet<string> EuropeanEconomicArea = FrozenSet.Create(
        StringComparer.OrdinalIgnoreCase,
        "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK");

    /// <param name="brand">The card's network, null when it is not known.</param>
    /// <param name="cardCountry">Where the card was issued, ISO 3166-1 alpha-2, null when it is not known.</param>
    /// <param name="merchantCountry">ISO 3166-1 alpha-2.</param>
    public static FeeSubject OfCard(Money amount, string? brand, string? cardCountry, string merchantCountry) =>
        new(amount, CardMethod, brand, RegionOf(cardCountry, merchantCountry));

    public static CardRegion? RegionOf(string? cardCountry, string merchantCountry)
    {
        if (string.IsNullOrEmpty(cardCountry))
            return null;
        if (string.Equals(cardCountry, merchantCountry, StringComparison.OrdinalIgnoreCase))
            return Pricing.CardRegion.Domestic;
        return EuropeanEconomicArea.Contains(cardCountry) && EuropeanEconomicArea.Contains(merchantCountry) ? Pricing.CardRegion.Eea : Pricing.CardRegion.International;
    }
}
