using System.Globalization;

namespace Payments.Domain.Payouts;

/// <summary>Numbers as people copy them from letters, web pages and spreadsheets.</summary>
internal static class PastedText
{
    /// <summary>Removes white space of every kind and invisible characters.</summary>
    public static string WithoutBlanks(string text) => Without(text, hyphens: false);

    /// <summary>Removes the same, and hyphens that stand between two letters or digits.</summary>
    public static string WithoutBlanksAndHyphens(string text) => Without(text, hyphens: true);

    private static string Without(string text, bool hyphens)
    {
        var kept = new System.Text.StringBuilder(text.Length);
        var hyphen = false;
        foreach (var c in text)
        {
            if (IsBlank(c))
            {
                continue;
            }

            if (hyphens && IsHyphen(c) && kept.Length > 0 && !hyphen)
            {
                hyphen = true;
                continue;
            }

            // A hyphen at an end, or beside another hyphen, separates nothing. It stays, so that the number is rejected later.
            if (hyphen && !char.IsAsciiLetterOrDigit(c))
            {
                kept.Append('-');
            }

            hyphen = false;
            kept.Append(c);
        }

        return hyphen ? kept.Append('-').ToString() : kept.ToString();
    }

    // Spaces, no-break spaces, tabs, line breaks, zero-width spaces, marks of the writing direction, the byte order mark and the soft
    // hyphen.
    private static bool IsBlank(char c) => char.IsWhiteSpace(c) || char.GetUnicodeCategory(c) is UnicodeCategory.Format;

    // Hyphen-minus, the minus sign, and U+2010 (hyphen) to U+2015 (horizontal bar).
    private static bool IsHyphen(char c) => c is '-' or (>= '\u2010' and <= '\u2015') or '\u2212';
}
