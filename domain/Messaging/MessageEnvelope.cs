using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Payments.Domain.Messaging;

/// <summary>What travels on a queue.</summary>
/// <param name="Body">The body, or null when it is too large for a queue and stands in the database under <paramref name="Id"/>.</param>
/// <param name="PutBack">How often it was put back to be handled later.</param>
/// <param name="Failures">How often its handler has failed since it was last put on the queue by the outbox.</param>
public sealed record MessageEnvelope(
    [property: JsonRequired] Guid Id,
    [property: JsonRequired] string Type,
    [property: JsonRequired] short Version,
    JsonElement? Body,
    string? OrderKey,
    string? Traceparent,
    DateTimeOffset CreatedAt,
    short PutBack = 0,
    short Failures = 0)
{
    /// <summary>A Storage queue takes 64 KiB of base64 text, which is 48 KiB; the rest of the envelope needs some of it.</summary>
    internal const int LargestBody = 40 * 1024;

    // The text goes to a queue, never into a page: letters of every script stay as they are instead of growing threefold.
    private static readonly JsonWriterOptions Wire = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>The transport keeps the message and shows it to nobody before this time; null: at once.</summary>
    [JsonIgnore]
    public DateTimeOffset? NotBefore { get; init; }

    /// <summary>What a broker knows the message by: one that was put back, or is tried again, is no duplicate to it.</summary>
    internal string TransportId => (PutBack, Failures) switch
    {
        (0, 0) => Id.ToString("N"),
        (_, 0) => $"{Id:N}-{PutBack}",
        _ => $"{Id:N}-{PutBack}-{Failures}",
    };

    internal ReadOnlyMemory<byte> ToUtf8()
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var writer = new Utf8JsonWriter(buffer, Wire))
        {
            writer.WriteStartObject();
            writer.WriteString("id"u8, Id);
            writer.WriteString("type"u8, Type);
            writer.WriteNumber("version"u8, Version);
            if (Body is { } body)
            {
                writer.WritePropertyName("body"u8);
                body.WriteTo(writer);
            }

            if (OrderKey is not null)
                writer.WriteString("order_key"u8, OrderKey);
            if (Traceparent is not null)
                writer.WriteString("traceparent"u8, Traceparent);
            writer.WriteString("created_at"u8, CreatedAt);
            writer.WriteNumber("put_back"u8, PutBack);
            writer.WriteNumber("failures"u8, Failures);
            writer.WriteEndObject();
        }

        return buffer.WrittenMemory;
    }

    /// <summary>Whether a body is too large for a queue, as it will stand there. Only large ones are looked at closely.</summary>
    internal static bool IsLarge(string body)
    {
        // One character is six bytes at most, escaped.
        if (body.Length * 6 <= LargestBody)
            return false;
        var buffer = new ArrayBufferWriter<byte>(body.Length * 2);
        using var writer = new Utf8JsonWriter(buffer, Wire);
        JsonElement.Parse(body).WriteTo(writer);
        writer.Flush();
        return buffer.WrittenCount > LargestBody;
    }

    /// <summary>Null when the text is no envelope.</summary>
    internal static MessageEnvelope? Parse(ReadOnlySpan<byte> utf8)
    {
        try
        {
            var envelope = JsonSerializer.Deserialize(utf8, MessagingJson.Default.MessageEnvelope);
            return envelope is { Type.Length: > 0, Version: > 0 } ? envelope : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(MessageEnvelope))]
internal sealed partial class MessagingJson : JsonSerializerContext;
