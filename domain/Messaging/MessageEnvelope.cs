using System.Text.Json;
using System.Text.Json.Serialization;

namespace Payments.Domain.Messaging;

/// <summary>What travels on a queue.</summary>
/// <param name="Body">The body, or null when it is too large for a queue and stands in the database under <paramref name="Id"/>.</param>
/// <param name="PutBack">How often it was put back to be handled later.</param>
public sealed record MessageEnvelope(
    [property: JsonRequired] Guid Id,
    [property: JsonRequired] string Type,
    [property: JsonRequired] short Version,
    JsonElement? Body,
    string? OrderKey,
    string? Traceparent,
    DateTimeOffset CreatedAt,
    short PutBack = 0)
{
    /// <summary>A Storage queue takes 64 KiB of base64 text, which is 48 KiB; the rest of the envelope needs some of it.</summary>
    internal const int LargestBody = 40 * 1024;

    /// <summary>What a broker knows the message by: one that was put back is no duplicate to it.</summary>
    internal string TransportId => PutBack == 0 ? Id.ToString("N") : $"{Id:N}-{PutBack}";

    internal ReadOnlyMemory<byte> ToUtf8() => JsonSerializer.SerializeToUtf8Bytes(this, MessagingJson.Default.MessageEnvelope);

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
