using System.Text.Json;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace Payments.Domain.Messaging;

/// <summary>
/// Moves due messages from the outbox to their queues. Any number of relays may run: each takes rows that no other holds. A crash
/// between sending and deleting sends a message again, with the same id.
/// </summary>
public sealed class OutboxRelay(NpgsqlDataSource dataSource, IMessageSender sender, TimeProvider time, ILogger<OutboxRelay> logger)
{
    private const int BatchSize = 256;
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(5);

    /// <summary>Sends what is due, until nothing is; answers how many messages were sent.</summary>
    public async Task<int> RelayAsync(CancellationToken ct)
    {
        var total = 0;
        while (true)
        {
            var (claimed, sent) = await RelayBatchAsync(ct);
            total += sent;
            if (claimed < BatchSize)
                return total;
        }
    }

    /// <summary>When the next message that is not due yet will be; null when there is none. Updates the age of the oldest due one.</summary>
    public async Task<DateTimeOffset?> NextDueAsync(CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var command = dataSource.CreateCommand(MessagingSql.OutboxState);
        command.Parameters.Add(SqlParameters.Time(now));
        await using var reader = await command.ExecuteReaderAsync(ct);
        await reader.ReadAsync(ct);
        MessagingMetrics.Oldest(reader.IsDBNull(0) ? TimeSpan.Zero : now - reader.GetFieldValue<DateTimeOffset>(0));
        return reader.IsDBNull(1) ? null : reader.GetFieldValue<DateTimeOffset>(1);
    }

    /// <summary>2 s, 4 s, ... 5 min: a broker that is away is asked rarely, and every message keeps its place.</summary>
    internal static TimeSpan PauseAfter(int failures) =>
        failures >= 9 ? LongestPause : TimeSpan.FromSeconds(Math.Min(LongestPause.TotalSeconds, Math.Pow(2, failures)));

    private async Task<(int Claimed, int Sent)> RelayBatchAsync(CancellationToken ct)
    {
        // The rows stay locked while they are sent: if this process dies, the locks die with it and another relay sends them at once.
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        var rows = await ClaimAsync(connection, transaction, ct);
        if (rows.Count == 0)
            return (0, 0);

        var started = time.GetUtcNow();
        var sent = new List<Guid>(rows.Count);
        var failed = new List<(Row Row, string Error)>();
        foreach (var queue in rows.GroupBy(row => row.Queue))
        {
            Row[] batch = [.. queue];
            var errors = await sender.SendAsync(queue.Key, [.. batch.Select(row => row.Envelope)], ct);
            for (var i = 0; i < batch.Length; i++)
            {
                if (errors[i] is { } error)
                    failed.Add((batch[i], error));
                else
                    sent.Add(batch[i].Envelope.Id);
            }
        }

        var now = time.GetUtcNow();
        await MarkAsync(connection, transaction, sent, failed, now);
        foreach (var (row, error) in failed)
        {
            MessagingMetrics.SendFailed(row.Queue);
            MessagingLog.SendFailed(logger, row.Envelope.Id, row.Queue, row.Attempts + 1, error);
        }

        foreach (var row in rows.ExceptBy(failed.Select(f => f.Row.Envelope.Id), row => row.Envelope.Id))
            MessagingMetrics.Sent(row.Queue, row.Envelope.Type, row.Envelope.Traceparent, started, now - row.DueAt);
        return (rows.Count, sent.Count);
    }

    private async Task<List<Row>> ClaimAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(MessagingSql.ClaimOutbox, connection, transaction)
        {
            Parameters = { SqlParameters.Time(time.GetUtcNow()), SqlParameters.Int(BatchSize) },
        };
        var rows = new List<Row>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            var envelope = new MessageEnvelope(
                reader.GetGuid(0),
                reader.GetString(2),
                reader.GetInt16(3),
                reader.IsDBNull(4) ? null : JsonElement.Parse(reader.GetString(4)),
                reader.IsDBNull(5) ? null : reader.GetString(5),
                reader.IsDBNull(6) ? null : reader.GetString(6),
                reader.GetFieldValue<DateTimeOffset>(7),
                reader.GetInt16(10));
            rows.Add(new Row(reader.GetString(1), envelope, reader.GetFieldValue<DateTimeOffset>(8), reader.GetInt32(9)));
        }

        return rows;
    }

    // No cancellation: the messages are out, and not marking them now would send them twice.
    private static async Task MarkAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, List<Guid> sent, List<(Row Row, string Error)> failed, DateTimeOffset now)
    {
        await using var batch = new NpgsqlBatch(connection, transaction);
        if (sent.Count > 0)
            batch.BatchCommands.Add(new NpgsqlBatchCommand(MessagingSql.DeleteSent) { Parameters = { SqlParameters.Column(sent, NpgsqlDbType.Uuid) } });
        if (failed.Count > 0)
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand(MessagingSql.Postpone)
            {
                Parameters =
                {
                    SqlParameters.Column(failed.Select(f => f.Row.Envelope.Id), NpgsqlDbType.Uuid),
                    SqlParameters.Times(failed, f => now + PauseAfter(f.Row.Attempts + 1)),
                    SqlParameters.Texts(failed.Select(f => f.Error)),
                },
            });
        }

        await batch.ExecuteNonQueryAsync(CancellationToken.None);
        await transaction.CommitAsync(CancellationToken.None);
    }

    private sealed record Row(string Queue, MessageEnvelope Envelope, DateTimeOffset DueAt, int Attempts);
}
