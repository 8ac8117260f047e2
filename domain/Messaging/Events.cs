using System.Buffers;
using System.Text.Json;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;

namespace Payments.Domain.Messaging;

/// <summary>A stored event of a merchant's object.</summary>
/// <param name="Sequence">Counts the object's events from 1.</param>
/// <param name="Data">The object as it was then, as JSON text.</param>
public sealed record StoredEvent(
    EventId Id, MerchantId Merchant, string Type, string ObjectType, Guid ObjectId, int Sequence, string Data, DateTimeOffset CreatedAt)
{
    /// <summary>The version of the event format.</summary>
    public const string ApiVersion = "2026-03-01";

    /// <summary>The event as the API and webhooks show it: <c>{id, object, type, created_at, api_version, sequence, data}</c>.</summary>
    public ReadOnlyMemory<byte> ToJson(string apiVersion = ApiVersion)
    {
        var buffer = new ArrayBufferWriter<byte>(256 + Data.Length);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("id", Id.ToString());
            writer.WriteString("object", "event");
            writer.WriteString("type", Type);
            writer.WriteString("created_at", CreatedAt.UtcDateTime);
            writer.WriteString("api_version", apiVersion);
            writer.WriteNumber("sequence", Sequence);
            writer.WritePropertyName("data");
            writer.WriteRawValue(Data);
            writer.WriteEndObject();
        }

        return buffer.WrittenMemory;
    }
}

/// <summary>Reads a merchant's events.</summary>
public sealed class Events(NpgsqlDataSource dataSource)
{
    private const string Columns = "id, merchant_id, type, object_type, object_id, sequence, data::text, created_at";

    private const string List = $"SELECT {Columns} FROM payments.events e";

    private const string Find = $"SELECT {Columns} FROM payments.events WHERE merchant_id = $1 AND id = $2";

    /// <summary>Newest first.</summary>
    /// <param name="after">The last event of the previous page.</param>
    /// <param name="type">Only events of this type.</param>
    /// <param name="objectId">Only events of this object.</param>
    public async Task<IReadOnlyList<StoredEvent>> ListAsync(
        MerchantId merchant, EventId? after, string? type, Guid? objectId, Bounds<DateTimeOffset> created, int limit, CancellationToken ct)
    {
        await using var command = ListCommand(merchant, after, type, objectId, created, limit);
        var events = new List<StoredEvent>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
            events.Add(Read(reader, 0));
        return events;
    }

    public async Task<StoredEvent?> FindAsync(MerchantId merchant, EventId id, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(Find);
        command.Parameters.AddRange(new[] { SqlParameters.Uuid(merchant.Value), SqlParameters.Uuid(id.Value) });
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await reader.ReadAsync(ct) ? Read(reader, 0) : null;
    }

    internal NpgsqlCommand ListCommand(MerchantId merchant, EventId? after, string? type, Guid? objectId, Bounds<DateTimeOffset> created, int limit) =>
        new ListQuery(List, "e", merchant)
            .Equal("type", type, NpgsqlDbType.Text)
            .Equal("object_id", objectId, NpgsqlDbType.Uuid)
            .Created(created)
            .After(after?.Value)
            .Limit(dataSource, limit);

    internal static StoredEvent Read(NpgsqlDataReader reader, int from) => new(
        new EventId(reader.GetGuid(from)),
        new MerchantId(reader.GetGuid(from + 1)),
        reader.GetString(from + 2),
        reader.GetString(from + 3),
        reader.GetGuid(from + 4),
        reader.GetInt32(from + 5),
        reader.GetString(from + 6),
        reader.GetFieldValue<DateTimeOffset>(from + 7));
}
