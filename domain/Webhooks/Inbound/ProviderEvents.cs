using System.Buffers.Binary;
using System.Globalization;
using Npgsql;
using Payments.Domain.Audit;
using Payments.Domain.Database;
using Payments.Domain.Messaging;

namespace Payments.Domain.Webhooks.Inbound;

/// <summary>The operators' view of provider events. It can have them processed again.</summary>
public sealed class ProviderEvents(NpgsqlDataSource dataSource, OutboxSignal signal, TimeProvider time)
{
    // A dispute or refund may be argued about for months. The row with the partner's id is kept for ever.
    private static readonly TimeSpan KeepPayload = TimeSpan.FromDays(90);

    /// <summary>Newest first, without payloads.</summary>
    public async Task<IReadOnlyList<ProviderEvent>> ListAsync(ProviderEventStatus? status, string? provider, Guid? after, int limit, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(InboundSql.List);
        command.Parameters.AddRange(new[]
        {
            SqlParameters.Text(status is { } wanted ? DbText.Of(wanted) : null), SqlParameters.Text(provider), SqlParameters.Uuid(after), SqlParameters.Int(limit),
        });
        var events = new List<ProviderEvent>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
            events.Add(Read(reader));
        return events;
    }

    /// <summary>One event with its original payload. Use <see cref="PayloadMask"/> before showing it.</summary>
    public async Task<ProviderEvent?> FindAsync(Guid id, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(InboundSql.Load);
        command.Parameters.Add(SqlParameters.Uuid(id));
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await reader.ReadAsync(ct) ? Read(reader) : null;
    }

    /// <summary>Has an event processed again, whatever its status. False if it does not exist, or its payload is no longer kept.</summary>
    public async Task<bool> ReplayAsync(Guid id, Actor actor, CancellationToken ct) => await ReplayAsync(id, default, default, null, actor, ct) == 1;

    /// <summary>
    /// Has events of a time range processed again, of one status or of all, and returns their number. <paramref name="until"/> is
    /// exclusive.
    /// </summary>
    public Task<int> ReplayAsync(DateTimeOffset from, DateTimeOffset until, ProviderEventStatus? status, Actor actor, CancellationToken ct) =>
        ReplayAsync(null, from, until, status, actor, ct);

    /// <summary>
    /// Creates the partitions of payloads for the coming weeks and drops those older than 90 days. Payloads of events that are still open
    /// are kept. A timer runs it. Running it again changes nothing.
    /// </summary>
    public async Task PurgeAsync(CancellationToken ct)
    {
        await using (var command = dataSource.CreateCommand(InboundSql.KeepWeeks))
        {
            command.Parameters.AddRange(new[] { SqlParameters.Time(time.GetUtcNow()), new() { Value = KeepPayload } });
            await command.ExecuteNonQueryAsync(ct);
        }

        // Payloads that were kept beyond their week, and whose events have been applied or ignored since.
        while (true)
        {
            await using var command = dataSource.CreateCommand(InboundSql.DropPayloads);
            command.Parameters.Add(SqlParameters.Time(time.GetUtcNow() - KeepPayload));
            if (await command.ExecuteNonQueryAsync(ct) == 0)
                return;
        }
    }

    internal static OutboxMessage Message(Guid id, int attempt, DateTimeOffset now, TimeSpan delay) => OutboxMessage.New(
        QueueNames.ProviderEvents,
        "provider_event.received",
        string.Create(CultureInfo.InvariantCulture, $$"""{"id":"{{id:D}}","attempt":{{attempt}}}"""),
        now,
        delay);

    internal static ProviderEvent Read(NpgsqlDataReader reader) => new(
        reader.GetGuid(0),
        reader.GetString(1),
        reader.GetString(2),
        reader.GetString(3),
        DbText.Parse<ProviderEventStatus>(reader.GetString(4)),
        reader.GetInt32(5),
        reader.IsDBNull(6) ? null : reader.GetString(6),
        reader.IsDBNull(7) ? (ReadOnlyMemory<byte>?)null : reader.GetFieldValue<byte[]>(7),
        reader.GetFieldValue<DateTimeOffset>(8),
        reader.IsDBNull(9) ? null : reader.GetFieldValue<DateTimeOffset>(9));

    // The bounds of the ids (UUID version 7) of one millisecond.
    private static Guid FirstId(DateTimeOffset at) => Within(at, 0x00);

    private static Guid LastId(DateTimeOffset at) => Within(at, 0xFF);

    private static Guid Within(DateTimeOffset at, byte rest)
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Fill(rest);
        BinaryPrimitives.WriteUInt64BigEndian(bytes, ((ulong)Math.Max(0, at.ToUnixTimeMilliseconds()) << 16) | (rest * 0x0101u));
        return new Guid(bytes, bigEndian: true);
    }

    private async Task<int> ReplayAsync(Guid? id, DateTimeOffset from, DateTimeOffset until, ProviderEventStatus? status, Actor actor, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        var messages = new List<OutboxMessage>();
        await using (var command = new NpgsqlCommand(InboundSql.Replay, connection, transaction)
        {
            Parameters =
            {
                SqlParameters.Uuid(id), SqlParameters.Time(from), SqlParameters.Time(until), SqlParameters.Text(status is { } wanted ? DbText.Of(wanted) : null),
                SqlParameters.Uuid(id is null ? FirstId(from) : Guid.Empty), SqlParameters.Uuid(id is null ? LastId(until) : Guid.AllBitsSet),
            },
        })
        {
            await using var reader = await command.ExecuteReaderAsync(ct);
            while (await reader.ReadAsync(ct))
                messages.Add(Message(reader.GetGuid(0), reader.GetInt32(1), now, TimeSpan.Zero));
        }

        await Outbox.EnqueueAsync(connection, transaction, messages, ct);
        var entry = id is { } one
            ? new AuditEntry(actor, "provider_event.replayed", "provider_event", one.ToString("N"))
            : new AuditEntry(
                actor, "provider_events.replayed", "provider_event", "range",
                Detail: AuditEntry.Details(("from", from), ("to", until), ("status", status is { } of ? DbText.Of(of) : null), ("replayed", messages.Count)));
        if (id is null || messages.Count > 0)
            await AuditLog.WriteAsync(connection, transaction, entry, now, ct);
        await transaction.CommitAsync(ct);
        signal.Set();
        return messages.Count;
    }
}
