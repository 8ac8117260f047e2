using System.Text.Json;
using System.Text.Unicode;

namespace Payments.Domain.Webhooks.Inbound;

/// <summary>Rules that all verifiers share.</summary>
internal static class InboundRules
{
    /// <summary>
    /// How far a signature's time may differ from this process's clock, in both directions. The partners' own libraries allow the same.
    /// </summary>
    private const long ToleranceSeconds = 300;

    private static readonly JsonDocumentOptions Json = new() { MaxDepth = 64 };

    public static WebhookRefusal? CheckAge(long unixSeconds, DateTimeOffset now)
    {
        var seconds = now.ToUnixTimeSeconds();
        return unixSeconds < seconds - ToleranceSeconds ? WebhookRefusal.TooOld
            : unixSeconds > seconds + ToleranceSeconds ? WebhookRefusal.TooNew
            : null;
    }

    /// <summary>Null if the bytes are not a JSON object in UTF-8.</summary>
    public static JsonElement? ParseObject(ReadOnlyMemory<byte> body)
    {
        // The parser checks the encoding of a text only when the text is read.
        if (!Utf8.IsValid(body.Span))
            return null;
        try
        {
            using var document = JsonDocument.Parse(body, Json);
            return document.RootElement.ValueKind == JsonValueKind.Object ? document.RootElement.Clone() : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>A string property that can serve as an id or a type. Null if it is missing, too long, or has control characters.</summary>
    public static string? Name(JsonElement element, string property)
    {
        try
        {
            return element.ValueKind == JsonValueKind.Object && element.TryGetProperty(property, out var value) && value.ValueKind == JsonValueKind.String
                && value.GetString() is { } text && IsName(text) ? text : null;
        }
        catch (InvalidOperationException)
        {
            // Half a surrogate pair is valid JSON, but not valid text.
            return null;
        }
    }

    public static bool IsName(string text) => text.Length is >= 1 and <= 255 && !text.Any(c => char.IsControl(c) || char.IsSurrogate(c));
}
