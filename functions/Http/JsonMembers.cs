using System.Text.Json;

namespace Payments.Functions.Http;

/// <summary>
/// Finds members that occur twice in an object. Parsers disagree about which of the two counts (RFC 8259, 4). So one parser may read a
/// payment of 1 where another reads a payment of 2.
/// </summary>
internal static class JsonMembers
{
    /// <returns>The path of the first duplicate member, such as <c>card.brand</c>. Null if there is none.</returns>
    /// <exception cref="JsonException">It is not JSON.</exception>
    public static string? FindDuplicate(ReadOnlySpan<byte> json)
    {
        if (json.IsEmpty)
            return null;
        var reader = new Utf8JsonReader(json);
        var objects = new Stack<(HashSet<string>? Members, string Path)>();
        var path = "";
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartObject:
                    objects.Push((new HashSet<string>(StringComparer.Ordinal), path));
                    break;
                case JsonTokenType.StartArray:
                    objects.Push((null, path));
                    break;
                case JsonTokenType.EndObject or JsonTokenType.EndArray:
                    objects.Pop();
                    break;
                case JsonTokenType.PropertyName:
                    var (members, parent) = objects.Peek();
                    var name = Name(reader);
                    path = parent.Length == 0 ? name : $"{parent}.{name}";
                    if (!members!.Add(name))
                        return path;
                    break;
            }
        }

        return null;
    }

    private static string Name(in Utf8JsonReader reader)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new JsonException("A member's name is no text.", e);
        }
    }
}
