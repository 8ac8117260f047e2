using System.Globalization;
using System.Xml.Linq;

namespace Payments.Domain.Payouts.BankFiles;

/// <summary>An amount as the file writes it, in major units. It may have more digits than its currency has.</summary>
internal readonly record struct IsoAmount(decimal Value, string Currency)
{
    /// <summary>Null if the currency is unknown, or has fewer digits than the amount.</summary>
    public Money? ToMoney() =>
        Domain.Currency.TryParse(Currency, out var currency) && Minor(currency) is { } minor ? new Money(minor, currency) : null;

    private long? Minor(Currency currency)
    {
        var value = Value;
        for (var i = 0; i < currency.Exponent; i++)
        {
            value *= 10;
        }

        return decimal.IsInteger(value) && value is >= long.MinValue and <= long.MaxValue ? (long)value : null;
    }
}

/// <summary>
/// Reads ISO 20022 elements by their local names. XML Schema collapses the white space around every value that is read here.
/// </summary>
internal static class IsoXml
{
    private static readonly char[] WhiteSpace = [' ', '\t', '\r', '\n'];

    public static IEnumerable<XElement> Children(XElement element, string name) => element.Elements().Where(e => e.Name.LocalName == name);

    public static XElement? Child(XElement element, params ReadOnlySpan<string> path)
    {
        XElement? at = element;
        foreach (var name in path)
        {
            at = FirstOf(at, name);
            if (at is null)
            {
                return null;
            }
        }

        return at;
    }

    /// <summary>The text at the path; null if there is no such element, or it has child elements.</summary>
    public static string? Value(XElement element, params ReadOnlySpan<string> path) =>
        Child(element, path) is { HasElements: false } found ? Text(found.Value) : null;

    public static string Text(string value) => value.Trim(WhiteSpace);

    /// <exception cref="FormatException">The element exists but is no amount.</exception>
    public static IsoAmount? Amount(XElement element, params ReadOnlySpan<string> path) =>
        Child(element, path) is { HasElements: false } amount
            ? new IsoAmount(Decimal(amount.Value) is >= 0 and var value ? value : throw new FormatException($"The amount {amount.Value} is negative."),
                Text(amount.Attribute("Ccy")?.Value ?? ""))
            : null;

    public static decimal? Decimal(XElement element, params ReadOnlySpan<string> path) => Value(element, path) is { } text ? Decimal(text) : null;

    public static long? Count(XElement element, params ReadOnlySpan<string> path) =>
        Value(element, path) is { } text ? long.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture) : null;

    /// <summary>An <c>xs:boolean</c>.</summary>
    public static bool IsTrue(string? text) => text switch
    {
        null or "false" or "0" or "" => false,
        "true" or "1" => true,
        _ => throw new FormatException($"'{text}' is neither true nor false."),
    };

    /// <summary>
    /// The first code among the elements of this name, and all of their texts. Banks put additions into an element of their own, which may
    /// have no code.
    /// </summary>
    public static (string? Code, string? Text) Reason(XElement element, string name)
    {
        var infos = Children(element, name).ToList();
        var texts = infos.SelectMany(info => Children(info, "AddtlInf")).Select(e => Text(e.Value)).Where(text => text.Length > 0).ToList();
        return (infos.Select(info => Value(info, "Rsn", "Cd") ?? Value(info, "Rsn", "Prtry")).FirstOrDefault(code => !string.IsNullOrEmpty(code)),
            texts.Count == 0 ? null : string.Join(' ', texts));
    }

    /// <summary>
    /// The id of our file that the message or the payment information names. Null if the text does not have the form that we write.
    /// </summary>
    public static Guid? FileId(string? reference) =>
        reference is { Length: >= 32 } && (reference.Length == 32 || reference[32] == '-') && Guid.TryParseExact(reference.AsSpan(0, 32), "N", out var id)
            ? id
            : null;

    private static decimal Decimal(string text) => decimal.Parse(Text(text), NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);

    private static XElement? FirstOf(XElement element, string name)
    {
        foreach (var child in element.Elements())
        {
            if (child.Name.LocalName == name)
            {
                return child;
            }
        }

        return null;
    }
}
