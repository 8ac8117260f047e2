using Npgsql;
using NpgsqlTypes;

namespace Payments.Domain.Messaging;

/// <summary>
/// Writes messages in the transaction of the change that they report. The <see cref="OutboxRelay"/> sends them after the commit.
/// </summary>
public static class Outbox
{
    /// <summary>
    /// The statements that enqueue all <paramref name="messages"/>: one, or two if a body is too large for a queue. Signal the
    /// <see cref="OutboxSignal"/> after the commit.
    /// </summary>
    public static IEnumerable<NpgsqlBatchCommand> Enqueue(IReadOnlyList<OutboxMessage> messages)
    {
        var large = messages.Where(m => MessageEnvelope.IsLarge(m.Body)).ToArray();
        if (large.Length > 0)
        {
            yield return new NpgsqlBatchCommand(MessagingSql.KeepBodies)
            {
                Parameters =
                {
                    SqlParameters.Column(large.Select(m => m.Id), NpgsqlDbType.Uuid),
                    SqlParameters.Texts(large.Select(m => m.Body)),
                    // The time to keep a body starts at the due time, because a message may be due a month later.
                    SqlParameters.Times(large, m => m.DueAt),
                },
            };
        }

        var byReference = large.Select(m => m.Id).ToHashSet();
        yield return new NpgsqlBatchCommand(MessagingSql.Enqueue)
        {
            Parameters =
            {
                SqlParameters.Column(messages.Select(m => m.Id), NpgsqlDbType.Uuid),
                SqlParameters.Texts(messages.Select(m => m.Queue)),
                SqlParameters.Texts(messages.Select(m => m.Type)),
                SqlParameters.Column(messages.Select(m => m.Version), NpgsqlDbType.Smallint),
                SqlParameters.Column(messages.Select(m => byReference.Contains(m.Id) ? null : m.Body), NpgsqlDbType.Text),
                SqlParameters.Column(messages.Select(m => m.OrderKey), NpgsqlDbType.Text),
                SqlParameters.Column(messages.Select(m => m.TraceParent), NpgsqlDbType.Text),
                SqlParameters.Times(messages, m => m.CreatedAt),
                SqlParameters.Times(messages, m => m.DueAt),
            },
        };
    }

    /// <inheritdoc cref="Enqueue"/>
    public static async Task EnqueueAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<OutboxMessage> messages, CancellationToken ct)
    {
        if (messages.Count == 0)
            return;
        await using var batch = new NpgsqlBatch(connection, transaction);
        foreach (var command in Enqueue(messages))
            batch.BatchCommands.Add(command);
        await batch.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Enqueues a message that came from a queue once more, under its own id.</summary>
    internal static async Task PutBackAsync(
        NpgsqlConnection connection, NpgsqlTransaction? transaction, string queue, MessageEnvelope envelope, DateTimeOffset dueAt, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(MessagingSql.PutBack, connection, transaction)
        {
            Parameters =
            {
                SqlParameters.Uuid(envelope.Id),
                SqlParameters.Text(queue),
                SqlParameters.Text(envelope.Type),
                new() { Value = envelope.Version },
                SqlParameters.Text(envelope.Body?.GetRawText()),
                SqlParameters.Text(envelope.OrderKey),
                SqlParameters.Text(envelope.Traceparent),
                SqlParameters.Time(envelope.CreatedAt),
                SqlParameters.Time(dueAt),
                new() { Value = (short)(envelope.PutBack + 1) },
            },
        };
        await command.ExecuteNonQueryAsync(ct);
    }
}
