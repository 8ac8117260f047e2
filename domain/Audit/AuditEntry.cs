using System.Text.Json;

namespace Payments.Domain.Audit;

/// <summary>One action of an actor.</summary>
/// <param name="Action">What was done, as <c>object.verb</c> in the past tense, such as <c>api_key.revoked</c>.</param>
/// <param name="ObjectId">The id of the object as the API shows it. For several objects, the text that names them together.</param>
/// <param name="Merchant">
/// The merchant that the object belongs to. Null for an object of the platform, or objects of several merchants.
/// </param>
/// <param name="Detail">What was asked for, or what came of it, as JSON text without secrets; null if there is nothing to add.</param>
public sealed record AuditEntry(Actor Actor, string Action, string ObjectType, string ObjectId, MerchantId? Merchant = null, string? Detail = null)
{
    /// <summary>The detail of several values. Names are spelled as in the API, and values as JSON writes them.</summary>
    public static string Details(params ReadOnlySpan<(string Name, object? Value)> values)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            foreach (var (name, value) in values)
            {
                switch (value)
                {
                    case null:
                        continue;
                    case bool flag:
                        writer.WriteBoolean(name, flag);
                        break;
                    case int number:
                        writer.WriteNumber(name, number);
                        break;
                    case long number:
                        writer.WriteNumber(name, number);
                        break;
                    case DateTimeOffset time:
                        writer.WriteString(name, time.UtcDateTime);
                        break;
                    case IEnumerable<string> texts:
                        writer.WriteStartArray(name);
                        foreach (var text in texts)
                            writer.WriteStringValue(text);
                        writer.WriteEndArray();
                        break;
                    default:
                        writer.WriteString(name, value.ToString());
                        break;
                }
            }

            writer.WriteEndObject();
        }

        return System.Text.Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}

/// <summary>An entry as it is stored.</summary>
/// <param name="TraceId">The trace in which it happened; null if there was none.</param>
public sealed record StoredAuditEntry(AuditEntryId Id, AuditEntry Entry, string? TraceId, DateTimeOffset CreatedAt);
