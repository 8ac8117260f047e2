using System.Text;
using Microsoft.Extensions.Logging;
using Npgsql;
using Payments.Domain.Audit;

namespace Payments.Domain.Messaging;

/// <param name="Raw">The message as it was on the queue. Bytes that are not text are in base64.</param>
public sealed record DeadLetter(
    Guid Id, string Queue, Guid? MessageId, string? Type, string Raw, string Reason, DateTimeOffset DeadAt, DateTimeOffset? ReplayedAt);

/// <summary>Messages that no consumer could handle, kept with the reason until an operator replays or discards them.</summary>
public sealed class DeadLetters(NpgsqlDataSource dataSource, OutboxSignal signal, TimeProvider time, ILogger<DeadLetters> logger)
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>
    /// Keeps a message whose tries have ended, or bytes that are not a message. Keeping it again changes nothing.
    /// </summary>
    public async Task KeepAsync(string queue, ReadOnlyMemory<byte> raw, string reason, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var envelope = MessageEnvelope.Parse(raw.Span);
        await using var command = dataSource.CreateCommand(MessagingSql.KeepDeadLetter);
        command.Parameters.AddRange(new[]
        {
            SqlParameters.Uuid(Guid.CreateVersion7(now)),
            SqlParameters.Text(queue),
            SqlParameters.Uuid(envelope?.Id),
            SqlParameters.Text(envelope?.Type),
            SqlParameters.Text(Readable(raw.Span)),
            SqlParameters.Text(reason),
            SqlParameters.Time(now),
        });
        await command.ExecuteNonQueryAsync(ct);
        MessagingLog.DeadLettered(logger, queue, reason);
    }

    /// <summary>Dead letters that were neither replayed nor discarded, newest first.</summary>
    public async Task<IReadOnlyList<DeadLetter>> ListAsync(string? queue, Guid? after, int limit, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(MessagingSql.ListDeadLetters);
        command.Parameters.AddRange(new[] { SqlParameters.Text(queue), SqlParameters.Uuid(after), SqlParameters.Int(limit) });
        var letters = new List<DeadLetter>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            letters.Add(new DeadLetter(
                reader.GetGuid(0),
                reader.GetString(1),
                reader.IsDBNull(2) ? null : reader.GetGuid(2),
                reader.IsDBNull(3) ? null : reader.GetString(3),
                reader.GetString(4),
                reader.GetString(5),
                reader.GetFieldValue<DateTimeOffset>(6),
                reader.IsDBNull(7) ? null : reader.GetFieldValue<DateTimeOffset>(7)));
        }

        return letters;
    }

    /// <summary>
    /// Puts a dead letter back on its queue. False if it does not exist, was replayed or discarded before, or is not a message.
    /// </summary>
    public async Task<bool> ReplayAsync(Guid id, Actor actor, CancellationToken ct) => await ReplayAsync(id, default, default, actor, ct) == 1;

    /// <summary>Puts back the dead letters of the time range and returns their number. <paramref name="until"/> is exclusive.</summary>
    public Task<int> ReplayAsync(DateTimeOffset from, DateTimeOffset until, Actor actor, CancellationToken ct) => ReplayAsync(null, from, until, actor, ct);

    /// <summary>Discards a dead letter. Returns false if it does not exist, or an operator replayed or discarded it before.</summary>
    public async Task<bool> DiscardAsync(Guid id, Actor actor, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using (var command = new NpgsqlCommand(MessagingSql.DiscardDeadLetter, connection, transaction) { Parameters = { SqlParameters.Uuid(id), SqlParameters.Time(now) } })
        {
            if (await command.ExecuteNonQueryAsync(ct) == 0)
                return false;
        }

        await AuditLog.WriteAsync(connection, transaction, new AuditEntry(actor, "dead_letter.discarded", "dead_letter", id.ToString("N")), now, ct);
        await transaction.CommitAsync(ct);
        return true;
    }

    private async Task<int> ReplayAsync(Guid? id, DateTimeOffset from, DateTimeOffset until, Actor actor, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        var letters = new List<(string Queue, string Raw)>();
        await using (var command = new NpgsqlCommand(MessagingSql.TakeDeadLetters, connection, transaction)
        {
            Parameters = { SqlParameters.Uuid(id), SqlParameters.Time(from), SqlParameters.Time(until), SqlParameters.Time(now) },
        })
        {
            await using var reader = await command.ExecuteReaderAsync(ct);
            while (await reader.ReadAsync(ct))
                letters.Add((reader.GetString(0), reader.GetString(1)));
        }

        foreach (var (queue, raw) in letters)
        {
            // The replay starts afresh. With its old age or failures, the message could become a dead letter again at once.
            var envelope = MessageEnvelope.Parse(Encoding.UTF8.GetBytes(raw))! with { CreatedAt = now, Failures = 0 };
            await Outbox.PutBackAsync(connection, transaction, queue, envelope, now, ct);
        }

        var entry = id is { } one
            ? new AuditEntry(actor, "dead_letter.replayed", "dead_letter", one.ToString("N"))
            : new AuditEntry(actor, "dead_letters.replayed", "dead_letter", "range", Detail: AuditEntry.Details(("from", from), ("to", until), ("replayed", letters.Count)));
        if (id is null || letters.Count > 0)
            await AuditLog.WriteAsync(connection, transaction, entry, now, ct);
        await transaction.CommitAsync(ct);
        signal.Set();
        return letters.Count;
    }

    // A Postgres text cannot hold a NUL.
    private static string Readable(ReadOnlySpan<byte> raw)
    {
        try
        {
            if (!raw.Contains((byte)0))
                return StrictUtf8.GetString(raw);
        }
        catch (DecoderFallbackException)
        {
        }

        return "base64:" + Convert.ToBase64String(raw);
    }
}
