using System.Text;

namespace Payments.Domain.Merchants;

/// <summary>The rules of <c>metadata</c> on every object. The platform never reads the caller's labels.</summary>
public static class MetadataRules
{
    public const int MaximumEntries = 50;
    public const int MaximumKeyLength = 40;
    public const int MaximumValueLength = 500;

    public static Refusal? Validate(IReadOnlyDictionary<string, string?>? metadata)
    {
        if (metadata is null)
            return null;
        if (metadata.Count > MaximumEntries)
            return Refusal.Invalid("metadata", $"`metadata` must hold at most {MaximumEntries} entries.");
        foreach (var (key, value) in metadata)
        {
            if (key.Length is 0 or > MaximumKeyLength || key.Contains('\0', StringComparison.Ordinal))
                return Refusal.Invalid("metadata", $"Each key in `metadata` must have 1 to {MaximumKeyLength} characters.");
            if (value is null || value.Length > MaximumValueLength || value.Contains('\0', StringComparison.Ordinal))
                return Refusal.Invalid($"metadata.{key}", $"A metadata value must be text of at most {MaximumValueLength} characters.");
        }

        return null;
    }

    /// <summary>
    /// Valid metadata in the order of Postgres <c>jsonb</c>: shorter keys first, then by bytes. So an object shows the same metadata before
    /// and after it is stored.
    /// </summary>
    public static IReadOnlyDictionary<string, string> Clean(IReadOnlyDictionary<string, string?>? metadata)
    {
        if (metadata is null or { Count: 0 })
            return Empty;
        var entries = metadata.Select(pair => (Bytes: Encoding.UTF8.GetBytes(pair.Key), pair.Key, Value: pair.Value!)).ToArray();
        Array.Sort(entries, static (a, b) => a.Bytes.Length != b.Bytes.Length ? a.Bytes.Length.CompareTo(b.Bytes.Length) : a.Bytes.AsSpan().SequenceCompareTo(b.Bytes));
        return new OrderedDictionary<string, string>(entries.Select(entry => KeyValuePair.Create(entry.Key, entry.Value)), StringComparer.Ordinal);
    }

    private static readonly IReadOnlyDictionary<string, string> Empty = new Dictionary<string, string>();
}
