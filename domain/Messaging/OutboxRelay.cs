using System.Text.Json;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace Payments.Domain.Messaging;

/// <summary>
/// Moves due messages from the outbox to their queues. Several relays may run at once: each locks its rows, and none passes an earlier
/// message of an order key. After a crash between sending and deleting, a relay sends the message again with the same id.
/// </summary>
public sealed class OutboxRelay(NpgsqlDataSource dataSource, IMessageSender sender, TimeProvider time, ILogger<OutboxRelay> logger)
{
    private const int BatchSize = 512;
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(5);

    /// <summary>Sends due messages until none is left, and returns the number of messages that it sent.</summary>
    public async Task<int> RelayAsync(CancellationToken ct)
    {
        var total = 0;
        while (true)
        {
            var (claimed, sent) = await RelayBatchAsync(ct);
            total += sent;
            if (claimed < BatchSize || sent == 0)
                return total;
        }
    }

    /// <summary>
    /// When the relay has something to send next, or null if no message waits. Updates the metric of the oldest due message's age.
    /// </summary>
    public async Task<DateTimeOffset?> NextDueAsync(CancellationToken ct)
    {
        var (age, next) = await StateAsync(ct);
        MessagingMetrics.Oldest(age);
        return next;
    }

    /// <summary>
    /// How long the oldest due message has been waiting, through all its tries, and when the relay has something to send next.
    /// </summary>
    internal async Task<(TimeSpan OldestAge, DateTimeOffset? NextDue)> StateAsync(CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var command = dataSource.CreateCommand(MessagingSql.OutboxState);
        command.Parameters.AddRange(new[] { SqlParameters.Time(now), SqlParameters.Time(now + sender.Ahead) });
        await using var reader = await command.ExecuteReaderAsync(ct);
        await reader.ReadAsync(ct);
        DateTimeOffset? oldest = reader.IsDBNull(0) ? null : reader.GetFieldValue<DateTimeOffset>(0);
        DateTimeOffset? fresh = reader.IsDBNull(1) ? null : reader.GetFieldValue<DateTimeOffset>(1) - sender.Ahead;
        DateTimeOffset? again = reader.IsDBNull(2) ? null : reader.GetFieldValue<DateTimeOffset>(2);
        return (oldest < now ? now - oldest.Value : TimeSpan.Zero, fresh is null || again < fresh ? again : fresh);
    }

    /// <summary>2 s, 4 s, ... 5 min. A broker that is down gets few requests, and every message keeps its place.</summary>
    internal static TimeSpan PauseAfter(int failures) =>
        failures >= 9 ? LongestPause : TimeSpan.FromSeconds(Math.Min(LongestPause.TotalSeconds, Math.Pow(2, failures)));

    private async Task<(int Claimed, int Sent)> RelayBatchAsync(CancellationToken ct)
    {
        // The rows stay locked while their messages are sent. If this process dies, its locks end and another relay sends the messages at
        // once.
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        var started = time.GetUtcNow();
        var claimed = await ClaimAsync(connection, transaction, started, ct);
        var rows = await InOrderAsync(connection, transaction, claimed, started, ct);
        if (rows.Count == 0)
            return (claimed.Count, 0);

        var sent = new List<Row>(rows.Count);
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
                    sent.Add(batch[i]);
            }
        }

        var now = time.GetUtcNow();
        await MarkAsync(connection, transaction, sent, failed, now);
        foreach (var (row, error) in failed)
        {
            MessagingMetrics.SendFailed(row.Queue);
            MessagingLog.SendFailed(logger, row.Envelope.Id, row.Queue, row.Attempts + 1, error);
        }

        foreach (var row in sent)
            MessagingMetrics.Sent(row.Queue, row.Envelope.Type, row.Envelope.Traceparent, started, now > row.DueAt ? now - row.DueAt : TimeSpan.Zero);
        return (claimed.Count, sent.Count);
    }

    private async Task<List<Row>> ClaimAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, DateTimeOffset now, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(MessagingSql.ClaimOutbox, connection, transaction)
        {
            Parameters = { SqlParameters.Time(now), SqlParameters.Time(now + sender.Ahead), SqlParameters.Int(BatchSize) },
        };
        var rows = new List<Row>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            var due = reader.GetFieldValue<DateTimeOffset>(8);
            var envelope = new MessageEnvelope(
                reader.GetGuid(0),
                reader.GetString(2),
                reader.GetInt16(3),
                reader.IsDBNull(4) ? null : JsonElement.Parse(reader.GetString(4)),
                reader.IsDBNull(5) ? null : reader.GetString(5),
                reader.IsDBNull(6) ? null : reader.GetString(6),
                reader.GetFieldValue<DateTimeOffset>(7),
                reader.GetInt16(10))
            {
                NotBefore = due > now ? due : null,
            };
            rows.Add(new Row(reader.GetString(1), envelope, due, reader.GetInt32(9), reader.GetInt64(11)));
        }

        return rows;
    }

    /// <summary>The messages that may be sent now: none that follows a message of its order key which another relay holds.</summary>
    private async Task<List<Row>> InOrderAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, List<Row> claimed, DateTimeOffset now, CancellationToken ct)
    {
        (string Queue, string Key)[] keys = [.. claimed.Where(row => row.Envelope.OrderKey is not null).Select(row => (row.Queue, row.Envelope.OrderKey!)).Distinct()];
        if (keys.Length == 0)
            return claimed;
        var held = new Dictionary<(string, string), long>();
        await using var command = new NpgsqlCommand(MessagingSql.HeldElsewhere, connection, transaction)
        {
            Parameters =
            {
                SqlParameters.Texts(keys.Select(key => key.Queue)),
                SqlParameters.Texts(keys.Select(key => key.Key)),
                SqlParameters.Time(now + sender.Ahead),
                SqlParameters.Column(claimed.Select(row => row.Envelope.Id), NpgsqlDbType.Uuid),
            },
        };
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
            held[(reader.GetString(0), reader.GetString(1))] = reader.GetInt64(2);
        // The claim orders by due time. A retry moves the due time, so the position restores the order.
        return [.. claimed
            .Where(row => row.Envelope.OrderKey is not { } key || !held.TryGetValue((row.Queue, key), out var position) || row.Position < position)
            .OrderBy(row => row.Position)];
    }

    // Not cancellable: the messages are sent, and without the mark the relay would send them twice.
    private static async Task MarkAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, List<Row> sent, List<(Row Row, string Error)> failed, DateTimeOffset now)
    {
        await using var batch = new NpgsqlBatch(connection, transaction);
        if (sent.Count > 0)
            batch.BatchCommands.Add(new NpgsqlBatchCommand(MessagingSql.DeleteSent) { Parameters = { SqlParameters.Column(sent.Select(row => row.Envelope.Id), NpgsqlDbType.Uuid) } });
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

    private sealed record Row(string Queue, MessageEnvelope Envelope, DateTimeOffset DueAt, int Attempts, long Position);
}
