using System.Collections.Frozen;

namespace Payments.Domain.Payouts;

/// <summary>
/// The countries that SEPA credit transfers reach, by the country of the IBAN. The list is that of the European Payments Council
/// (EPC409-09). Territories without IBANs of their own use those of their state: FR for Réunion, GB for Jersey, FI for Åland.
/// </summary>
public static class SepaArea
{
    private static readonly FrozenSet<string> Eea =
        Set("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK");

    private static readonly FrozenSet<string> OutsideEea = Set("AD AL CH GB GI MC MD ME MK RS SM VA");

    public static IEnumerable<string> Countries => Eea.Concat(OutsideEea).Order(StringComparer.Ordinal);

    public static bool Contains(string country) => Eea.Contains(country) || OutsideEea.Contains(country);

    /// <summary>Whether a payment to the country must name the payer's address.</summary>
    public static bool NeedsAddressOfThePayer(string country) => !Eea.Contains(country);

    private static FrozenSet<string> Set(string countries) => countries.Split(' ').ToFrozenSet(StringComparer.Ordinal);
}
