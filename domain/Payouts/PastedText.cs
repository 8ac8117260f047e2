using System.Globalization;

namespace Payments.Domain.Payouts;

/// <summary>Numbers as people copy them from letters, web pages and spreadsheets.</summary>
internal static class PastedText
{
    /// <summary>Takes out blanks of every kind, and characters that nobody sees.</summary>
    public static string WithoutBlanks(string text) => Without(text, hyphens: false);

    /// <summary>Likewise, and hyphens between two letters or digits.</summary>
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

            // A hyphen at an end, or beside another one, divides nothing: the text is something else.
            if (hyphen && !char.IsAsciiLetterOrDigit(c))
            {
                kept.Append('-');
            }

            hyphen = false;
            kept.Append(c);
        }

        return hyphen ? kept.Append('-').ToString() : kept.ToString();
    }

    // Spaces, no-break spaces, tabs and line breaks; zero-width spaces, marks of the writing direction, the byte order mark, the soft
    // hyphen.
    private static bool IsBlank(char c) => char.IsWhiteSpace(c) || char.GetUnicodeCategory(c) is UnicodeCategory.Format;

    // Hyphen-minus, and from the hyphen (2010) over the no-break hyphen and the dashes to the horizontal bar (2015); the minus sign.
    private static bool IsHyphen(char c) => c is '-' or (>= '\u2010' and <= '\u2015') or '\u2212';
}
