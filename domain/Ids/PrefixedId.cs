using System.Diagnostics.CodeAnalysis;

namespace Payments.Domain;

/// <summary>
/// A typed id: a UUID of version 7 inside, and a prefix with 32 hexadecimal digits as text (<c>ch_0198...</c>). Ids sort by the millisecond
/// of their creation.
/// </summary>
public interface IPrefixedId<TSelf>
    where TSelf : struct, IPrefixedId<TSelf>
{
    /// <summary>The prefix with its underscore, for example <c>ch_</c>.</summary>
    static abstract string Prefix { get; }

    Guid Value { get; }

    static abstract TSelf From(Guid value);
}

/// <summary>Creates, formats and parses typed ids.</summary>
public static class PrefixedId
{
    public static TId New<TId>(DateTimeOffset now)
        where TId : struct, IPrefixedId<TId> => TId.From(Guid.CreateVersion7(now));

    public static string Format<TId>(TId id)
        where TId : struct, IPrefixedId<TId> => TId.Prefix + id.Value.ToString("N");

    public static bool TryParse<TId>([NotNullWhen(true)] string? text, out TId id)
        where TId : struct, IPrefixedId<TId>
    {
        if (text is not null
            && text.StartsWith(TId.Prefix, StringComparison.Ordinal)
            && Guid.TryParseExact(text.AsSpan(TId.Prefix.Length), "N", out var value))
        {
            id = TId.From(value);
            return true;
        }

        id = default;
        return false;
    }
}
