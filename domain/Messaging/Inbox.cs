using Npgsql;
using NpgsqlTypes;

namespace Payments.Domain.Messaging;

/// <summary>What each consumer has handled, written in the transaction of the effect.</summary>
public static class Inbox
{
    /// <summary>True the first time. False when the consumer has handled the message before: it then leaves without an effect.</summary>
    public static async Task<bool> TryRecordAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, string consumer, Guid messageId, DateTimeOffset now, CancellationToken ct = default)
    {
        await using var command = new NpgsqlCommand(MessagingSql.RecordHandled, connection, transaction)
        {
            Parameters = { SqlParameters.Text(consumer), SqlParameters.Uuid(messageId), SqlParameters.Time(now) },
        };
        return await command.ExecuteNonQueryAsync(ct) == 1;
    }

    /// <summary>Of the messages, those that the consumer has not handled before, now recorded.</summary>
    public static async Task<IReadOnlySet<Guid>> TryRecordAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, string consumer, IReadOnlyCollection<Guid> messageIds, DateTimeOffset now, CancellationToken ct = default)
    {
        // In order of id, so that two batches with the same messages wait for one another instead of deadlocking.
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
