using Npgsql;
using NpgsqlTypes;

namespace Payments.Domain.Messaging;

/// <summary>The messages that each consumer has handled, written in the transaction of the effect.</summary>
public static class Inbox
{
    /// <summary>True the first time. False if the consumer has handled the message before: then it must end without an effect.</summary>
    public static async Task<bool> TryRecordAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, string consumer, Guid messageId, DateTimeOffset now, CancellationToken ct = default)
    {
        await using var command = new NpgsqlCommand(MessagingSql.RecordHandled, connection, transaction)
        {
            Parameters = { SqlParameters.Text(consumer), SqlParameters.Uuid(messageId), SqlParameters.Time(now) },
        };
        return await command.ExecuteNonQueryAsync(ct) == 1;
    }

    /// <summary>Records the messages and returns those that the consumer had not handled before.</summary>
    public static async Task<IReadOnlySet<Guid>> TryRecordAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, string consumer, IReadOnlyCollection<Guid> messageIds, DateTimeOffset now, CancellationToken ct = default)
    {
        // Lock order: message id. Two batches with the same messages then wait for each other instead of deadlocking.
        await using var command = new NpgsqlCommand(MessagingSql.RecordManyHandled, connection, transaction)
        {
            Parameters = { SqlParameters.Text(consumer), SqlParameters.Column(messageIds.Order(), NpgsqlDbType.Uuid), SqlParameters.Time(now) },
        };
        var recorded = new HashSet<Guid>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
            recorded.Add(reader.GetGuid(0));
        return recorded;
    }
}
