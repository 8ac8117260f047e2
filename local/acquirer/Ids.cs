using System.Diagnostics.CodeAnalysis;

namespace Payments.Acquirer;

/// <summary>Ids are a prefix and the 32 hex digits of a version 7 UUID.</summary>
internal static class Ids
{
    public const string Payment = "pay_";
    public const string Capture = "cap_";
    public const string Cancel = "can_";
    public const string Refund = "rfd_";
    public const string Payout = "pyo_";
    public const string Dispute = "dsp_";
    public const string Event = "aevt_";

    public static string Text(string prefix, Guid id) =>
        string.Create(prefix.Length + 32, (prefix, id), static (span, parts) =>
        {
            parts.prefix.CopyTo(span);
            parts.id.TryFormat(span[parts.prefix.Length..], out _, "N");
        });

    public static bool TryParse(string prefix, [NotNullWhen(true)] string? text, out Guid id)
    {
        id = default;
        return text is not null
            && text.StartsWith(prefix, StringComparison.Ordinal)
            && Guid.TryParseExact(text.AsSpan(prefix.Length), "N", out id);
    }

    /// <summary>For ids that this program wrote itself: anything else is a broken journal.</summary>
    public static Guid Parse(string prefix, string? text) =>
        TryParse(prefix, text, out var id) ? id : throw new InvalidDataException($"'{text}' is no {prefix} id.");
}
