using System.Diagnostics;
using Npgsql;
using NpgsqlTypes;

namespace Payments.Domain.Audit;

/// <summary>Which entries to list. A null field does not filter.</summary>
/// <param name="From">From this time on.</param>
/// <param name="Until">Before this time.</param>
public sealed record AuditFilter(MerchantId? Merchant = null, string? Actor = null, string? Action = null, string? ObjectId = null, DateTimeOffset? From = null, DateTimeOffset? Until = null);

/// <summary>
/// The audit log. Grants and a trigger keep it append-only. An entry is written in the transaction of its action: by
/// <see cref="WriteAsync"/>, or by <see cref="Append"/> as part of a batch.
/// </summary>
public sealed class AuditLog(NpgsqlDataSource dataSource)
{
    /// <summary>Writes one entry in the caller's transaction.</summary>
    public static async Task WriteAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, AuditEntry entry, DateTimeOffset now, CancellationToken ct)
    {
        await using var batch = new NpgsqlBatch(connection, transaction) { BatchCommands = { Append([entry], now) } };
        await batch.ExecuteNonQueryAsync(ct);
    }

    /// <summary>The statement that writes all of <paramref name="entries"/>. Add it to the batch that does the actions.</summary>
    public static NpgsqlBatchCommand Append(IReadOnlyList<AuditEntry> entries, DateTimeOffset now) => new(AuditSql.Append)
    {
        Parameters =
        {
            Column(entries, _ => Guid.CreateVersion7(now), NpgsqlDbType.Uuid),
            Column(entries, entry => entry.Actor.Name, NpgsqlDbType.Text),
            Column(entries, entry => entry.Action, NpgsqlDbType.Text),
            Column(entries, entry => entry.ObjectType, NpgsqlDbType.Text),
            Column(entries, entry => entry.ObjectId, NpgsqlDbType.Text),
            Column(entries, entry => entry.Merchant?.Value, NpgsqlDbType.Uuid),
            Column(entries, entry => entry.Detail ?? "{}", NpgsqlDbType.Text),
            Column(entries, entry => entry.Actor.RequestId, NpgsqlDbType.Text),
            Value(Activity.Current is { IdFormat: ActivityIdFormat.W3C } activity ? activity.TraceId.ToHexString() : null, NpgsqlDbType.Text),
            Value(now.UtcDateTime, NpgsqlDbType.TimestampTz),
        },
    };

    /// <summary>Newest first.</summary>
    /// <param name="after">The last entry of the page before.</param>
    public async Task<IReadOnlyList<StoredAuditEntry>> ListAsync(AuditFilter filter, AuditEntryId? after, int limit, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(AuditSql.List);
        command.Parameters.AddRange(new[]
        {
            Value(filter.Merchant?.Value, NpgsqlDbType.Uuid), Value(filter.Actor, NpgsqlDbType.Text), Value(filter.Action, NpgsqlDbType.Text),
            Value(filter.ObjectId, NpgsqlDbType.Text), Value(filter.From?.UtcDateTime, NpgsqlDbType.TimestampTz), Value(filter.Until?.UtcDateTime, NpgsqlDbType.TimestampTz),
            Value(after?.Value, NpgsqlDbType.Uuid), Value(limit, NpgsqlDbType.Integer),
        });
        var entries = new List<StoredAuditEntry>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            var entry = new AuditEntry(
                new Actor(reader.GetString(1), reader.IsDBNull(7) ? null : reader.GetString(7)),
                reader.GetString(2),
                reader.GetString(3),
                reader.GetString(4),
                reader.IsDBNull(5) ? null : new MerchantId(reader.GetGuid(5)),
                reader.GetString(6));
            entries.Add(new StoredAuditEntry(new AuditEntryId(reader.GetGuid(0)), entry, reader.IsDBNull(8) ? null : reader.GetString(8), reader.GetFieldValue<DateTimeOffset>(9)));
        }

        return entries;
    }

    private static NpgsqlParameter Column<T>(IReadOnlyList<AuditEntry> entries, Func<AuditEntry, T> column, NpgsqlDbType type) =>
        Value(entries.Select(column).ToArray(), NpgsqlDbType.Array | type);

    private static NpgsqlParameter Value(object? value, NpgsqlDbType type) => new() { Value = value ?? DBNull.Value, NpgsqlDbType = type };
}
