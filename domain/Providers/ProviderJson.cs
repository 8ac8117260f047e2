using System.Text.Json;

namespace Payments.Domain.Providers;

/// <summary>Reads JSON from providers. These methods never throw, whatever the bytes are.</summary>
internal static class ProviderJson
{
    /// <returns>The object, or null if the bytes are not a JSON object.</returns>
    public static JsonElement? ParseObject(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return JsonElement.Parse(bytes) is { ValueKind: JsonValueKind.Object } json ? json : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public static JsonElement? Object(this JsonElement? parent, string name) => Property(parent, name) is { ValueKind: JsonValueKind.Object } value ? value : null;

    public static JsonElement? Object(this JsonElement parent, string name) => Object((JsonElement?)parent, name);

    public static string? Text(this JsonElement? parent, string name)
    {
        try
        {
            return Property(parent, name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            // An unpaired surrogate is valid JSON but not valid text.
            return null;
        }
    }

    public static string? Text(this JsonElement parent, string name) => Text((JsonElement?)parent, name);

    public static long? Number(this JsonElement parent, string name) =>
        Property(parent, name) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt64(out var number) ? number : null;

    /// <summary>The elements of a list. Empty if there is no such list.</summary>
    public static IEnumerable<JsonElement> Items(this JsonElement parent, string name) =>
        Property(parent, name) is { ValueKind: JsonValueKind.Array } list ? list.EnumerateArray() : [];

    public static bool IsTrue(this JsonElement parent, string name) => Property(parent, name) is { } value
        && (value.ValueKind is JsonValueKind.True || (value.ValueKind is JsonValueKind.String && value.ValueEquals("true")));

    private static JsonElement? Property(JsonElement? parent, string name) =>
        parent is { ValueKind: JsonValueKind.Object } json && json.TryGetProperty(name, out var value) ? value : null;
}
