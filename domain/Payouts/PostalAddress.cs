using System.Diagnostics.CodeAnalysis;

namespace Payments.Domain.Payouts;

/// <summary>
/// An address in the forms that ISO 20022 files may carry since 15 November 2026. Structured: named fields only. Hybrid: a town and a
/// country with up to two free lines. Free lines alone are not allowed, so <see cref="TownName"/> and <see cref="Country"/> are always set.
/// </summary>
/// <param name="Country">ISO 3166, two capital letters.</param>
/// <param name="Line1">Text that the other fields do not hold. A hybrid address must not repeat a field here.</param>
public sealed record PostalAddress(string? StreetName, string? BuildingNumber, string? PostCode, string TownName, string Country,
    string? Line1 = null, string? Line2 = null)
{
    /// <summary>Creates the address, or names the field that is missing or too long.</summary>
    public static bool TryCreate(PostalAddressRequest given, [NotNullWhen(true)] out PostalAddress? address,
        [NotNullWhen(false)] out string? wrong)
    {
        address = null;
        var country = Clean(given.Country)?.ToUpperInvariant();
        wrong = TooLong(given.StreetName, 70) ? "street_name"
            : TooLong(given.BuildingNumber, 16) ? "building_number"
            : TooLong(given.PostCode, 16) ? "post_code"
            : Clean(given.TownName) is null || TooLong(given.TownName, 35) ? "town_name"
            : country is not { Length: 2 } || !country.All(char.IsAsciiLetterUpper) ? "country"
            : TooLong(given.Line1, 70) ? "line1"
            : TooLong(given.Line2, 70) || (Clean(given.Line2) is not null && Clean(given.Line1) is null) ? "line2"
            : null;
        if (wrong is not null)
        {
            return false;
        }

        address = new PostalAddress(
            Clean(given.StreetName), Clean(given.BuildingNumber), Clean(given.PostCode), Clean(given.TownName)!, country!,
                Clean(given.Line1), Clean(given.Line2));
        return true;
    }

    private static string? Clean(string? text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim();

    private static bool TooLong(string? text, int most) => Clean(text) is { } clean && clean.Length > most;
}

/// <summary>An address as a request or the setting <c>Payouts:OriginatorAddress</c> gives it.</summary>
public sealed record PostalAddressRequest
{
    public string? StreetName { get; set; }

    public string? BuildingNumber { get; set; }

    public string? PostCode { get; set; }

    public string? TownName { get; set; }

    public string? Country { get; set; }

    public string? Line1 { get; set; }

    public string? Line2 { get; set; }
}
