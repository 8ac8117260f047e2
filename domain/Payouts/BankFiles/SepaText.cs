using System.Buffers;
using System.Collections.Frozen;
using System.Text;

namespace Payments.Domain.Payouts.BankFiles;

/// <summary>
/// Text in the only characters that every SEPA bank must take: Latin letters, digits, space and <c>/ - ? : ( ) . , ' +</c> (European
/// Payments Council, EPC217-08, "SEPA requirements for an extended character set"). Other characters are written as their nearest Latin
/// letters. A character without any becomes a full stop, so that a name never silently loses a character.
/// </summary>
public static class SepaText
{
    public const string Allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-?:().,'+ ";

    private static readonly SearchValues<char> AllowedValues = SearchValues.Create(Allowed);

    private static readonly FrozenDictionary<char, string> Latin = Load();

    /// <summary>The text in the SEPA set, no longer than <paramref name="maxLength"/>, without space at either end, never empty.</summary>
    public static string Of(string text, int maxLength)
    {
        var written = Transliterate(text);

        // A field must not begin or end with a slash, nor contain two in a row (EPC implementation guidelines, section 1.4).
        while (written.Contains("//", StringComparison.Ordinal))
        {
            written = written.Replace("//", "/", StringComparison.Ordinal);
        }

        written = written.Length > maxLength ? written[..maxLength] : written;
        written = written.Trim(' ', '/');
        return written.Length == 0 ? "." : written;
    }

    public static bool IsAllowed(ReadOnlySpan<char> text) => text.IndexOfAnyExcept(AllowedValues) < 0;

    internal static string Transliterate(string text)
    {
        if (IsAllowed(text))
        {
            return text;
        }

        var written = new StringBuilder(text.Length + 8);
        foreach (var rune in text.EnumerateRunes())
        {
            if (rune.IsBmp && AllowedValues.Contains((char)rune.Value))
            {
                written.Append((char)rune.Value);
            }
            else if (rune.IsBmp && Latin.TryGetValue((char)rune.Value, out var latin))
            {
                written.Append(latin);
            }
            else if (Rune.IsWhiteSpace(rune))
            {
                written.Append(' ');
            }
            else if (Rune.GetUnicodeCategory(rune) is not (System.Globalization.UnicodeCategory.NonSpacingMark or System.Globalization.UnicodeCategory.Format))
            {
                // Combining accents and invisible marks are dropped. Any other character becomes a full stop.
                written.Append('.');
            }
        }

        return written.ToString();
    }

    private static FrozenDictionary<char, string> Load()
    {
        // Each entry: the Latin letters, then the characters written by them.
        string[] table =
        [
            "A ÀÁÂÃÅĀĂĄǍΑΆА", "AE ÄÆ", "C ÇĆĈĊČ", "D ĎĐÐΔД", "E ÈÉÊËĒĔĖĘĚΕΈЕЭЄ", "G ĜĞĠĢΓГҐ", "H ĤĦ", "I ÌÍÎÏĨĪĬĮİΙΊΪИІЫ", "J ĴЈ", "K ĶΚКЌ",
            "L ĹĻĽĿŁΛЛ", "M ΜМ", "N ÑŃŅŇŊΝН", "O ÒÓÔÕŌŎΟΌΩΏО", "OE ÖØŐŒ", "P ΠП", "R ŔŖŘΡР", "S ŚŜŞŠȘΣС", "T ŢŤŦȚΤТ", "TH ÞΘ", "U ÙÚÛŨŪŬŮŲУЎ",
            "UE ÜŰ", "W Ŵ", "Y ÝŶŸΥΎΫЙ", "Z ŹŻŽΖЗ", "B ΒБ", "V В", "F ΦФ", "CH ΧЧЋ", "PS Ψ", "X Ξ", "ZH Ж", "KH Х", "TS Ц", "SH Ш", "SHT Щ",
            "YU Ю", "YA Я", "YI Ї", "YO Ё", "LJ Љ", "NJ Њ", "DZ Џ", "I Η", "I Ή",
            "a àáâãåāăąǎªαάа", "ae äæ", "c çćĉċč", "d ďđðδд", "e èéêëēĕėęěεέеэє", "g ĝğġģγгґ", "h ĥħ", "i ìíîïĩīĭįıιίϊΐиіыηή", "j ĵј", "k ķĸκкќ",
            "l ĺļľŀłλл", "m μм", "n ñńņňŉŋνн", "o òóôõōŏºοόωώо", "oe öøőœ", "p πп", "r ŕŗřρр", "s śŝşšșσςс", "t ţťŧțτт", "th þθ", "u ùúûũūŭůųуў",
            "ue üű", "w ŵ", "y ýŷÿυύϋΰй", "z źżžζз", "b βб", "v в", "f φф", "ch χчћ", "ps ψ", "x ξ", "zh ж", "kh х", "ts ц", "sh ш", "sht щ",
            "yu ю", "ya я", "yi ї", "yo ё", "lj љ", "nj њ", "dz џ", "ss ß", "SS ẞ",
            "+ &", "' ‘’‚‛`´ʹʼ\"“”„«»", "- –—_‐‑−~", "( [{<", ") ]}>", ", ;", ". …!·•*%#=^|", "/ \\", "E €",
        ];
        var map = new Dictionary<char, string>();
        foreach (var entry in table)
        {
            var space = entry.IndexOf(' ', StringComparison.Ordinal);
            foreach (var c in entry.AsSpan(space + 1))
            {
                map.Add(c, entry[..space]);
            }
        }

        // The hard and soft signs of Cyrillic have no sound of their own.
        foreach (var silent in "ЪЬъь")
        {
            map.Add(silent, "");
        }

        map.Add('@', "(at)");
        return map.ToFrozenDictionary();
    }
}
