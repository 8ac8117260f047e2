using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;

namespace Payments.Domain.Payouts;

/// <summary>
/// International bank account numbers (ISO 13616): the country's two letters, two check digits and the country's own number. The IBAN
/// registry gives the total length for each country.
/// </summary>
public static class Iban
{
    // Lengths from the IBAN registry of SWIFT.
    private static readonly FrozenDictionary<string, int> Lengths = """
        AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18
        FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27
        MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27
        SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
        """
        .Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
        .ToFrozenDictionary(entry => entry[..2], entry => int.Parse(entry.AsSpan(2), System.Globalization.CultureInfo.InvariantCulture), StringComparer.Ordinal);

    public static IEnumerable<string> Countries => Lengths.Keys;

    /// <summary>The number of characters in the country's IBANs, or null if the registry does not list the country.</summary>
    public static int? LengthOf(string country) => Lengths.TryGetValue(country, out var length) ? length : null;

    // Longer than any IBAN with a blank and a hyphen around each character.
    private const int MaxText = 136;

    /// <summary>
    /// Reads an IBAN as people write and paste it: in groups, separated by blanks or hyphens, in upper or lower case. Returns its
    /// electronic form in <paramref name="iban"/>.
    /// </summary>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out string? iban)
    {
        iban = null;
        if (text is null || text.Length > MaxText)
        {
            return false;
        }

        var compact = PastedText.WithoutBlanksAndHyphens(text).ToUpperInvariant();
        if (compact.Length < 5
            || !Lengths.TryGetValue(compact[..2], out var length)
            || compact.Length != length
            || !char.IsAsciiDigit(compact[2])
            || !char.IsAsciiDigit(compact[3])
            || !compact.All(char.IsAsciiLetterOrDigit)
            || Mod97(compact) != 1)
        {
            return false;
        }

        // 00, 01 and 99 satisfy the remainder too, but 97 - n + 1 only ever yields 02 to 98.
        var check = ((compact[2] - '0') * 10) + (compact[3] - '0');
        if (check is < 2 or > 98)
        {
            return false;
        }

        iban = compact;
        return true;
    }

    /// <summary>The two check digits for a country and its own account number.</summary>
    public static string CheckDigits(string country, string bban) =>
        (98 - Mod97(country + "00" + bban)).ToString("00", System.Globalization.CultureInfo.InvariantCulture);

    // ISO 7064 mod 97-10 over the number with its first four characters moved to the end, letters as 10 to 35.
    private static int Mod97(string iban)
    {
        var remainder = 0;
        for (var i = 0; i < iban.Length; i++)
        {
            var c = iban[(i + 4) % iban.Length];
            remainder = char.IsAsciiDigit(c) ? ((remainder * 10) + (c - '0')) % 97 : ((remainder * 100) + (c - 'A' + 10)) % 97;
        }

        return remainder;
    }
}
