using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Payments.Domain.Messaging;

/// <summary>A message in the form in which it travels on a queue.</summary>
/// <param name="Body">The body, or null if it is too large for a queue and is stored in the database under <paramref name="Id"/>.</param>
/// <param name="PutBack">How often the outbox sent the message again under its id.</param>
/// <param name="Failures">How often the handler has failed since the outbox last sent the message.</param>
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
    /// <summary>
    /// In bytes. A Storage queue takes 64 KiB of base64 text, which is 48 KiB, and the rest of the envelope needs a part of it.
    /// </summary>
    internal const int LargestBody = 40 * 1024;

    // The text goes to a queue, never into a page, so no letter needs an escape sequence of several times its length.
    private static readonly JsonWriterOptions Wire = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>The transport hides the message until this time. Null: it delivers the message at once.</summary>
    [JsonIgnore]
    public DateTimeOffset? NotBefore { get; init; }

    /// <summary>The id for a broker that drops duplicates. It differs for each time the message is put back or tried again.</summary>
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

    /// <summary>Whether a body, as it is written to a queue, is too large for the queue. Only a long text is measured exactly.</summary>
    internal static bool IsLarge(string body)
    {
        // An escaped character takes at most six bytes.
        if (body.Length * 6 <= LargestBody)
            return false;
        var buffer = new ArrayBufferWriter<byte>(body.Length * 2);
        using var writer = new Utf8JsonWriter(buffer, Wire);
        JsonElement.Parse(body).WriteTo(writer);
        writer.Flush();
        return buffer.WrittenCount > LargestBody;
    }

    /// <summary>Null if the text is not an envelope.</summary>
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
