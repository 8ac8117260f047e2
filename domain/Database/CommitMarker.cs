using Npgsql;
using NpgsqlTypes;

namespace Payments.Domain.Database;

/// <summary>
/// One row per writer that counts its commits inside the transactions it commits, so that after a lost connection the database can tell
/// whether the last one arrived. (The transaction's id would not do: after a crash the server may hand it out again.)
/// </summary>
/// <remarks>Used by one batch at a time.</remarks>
internal sealed class CommitMarker(Guid writer)
{
    private const string Count = """
        INSERT INTO payments.commit_markers (writer, batch, committed_at) VALUES ($1, $2, $3)
        ON CONFLICT (writer) DO UPDATE SET batch = EXCLUDED.batch, committed_at = EXCLUDED.committed_at
        """;

    // Writing, rather than reading, waits for a transaction of ours that the server has not yet given up.
    private const string LastCommitted = """
        INSERT INTO payments.commit_markers (writer, batch, committed_at) VALUES ($1, 0, $2)
        ON CONFLICT (writer) DO UPDATE SET committed_at = EXCLUDED.committed_at
        RETURNING batch
        """;

    // A writer that ended long ago asks no more.
    private const string Forget = "DELETE FROM payments.commit_markers WHERE committed_at < $1";

    private static readonly TimeSpan Keep = TimeSpan.FromDays(7);
    private long _batch;

    /// <summary>Ends a batch with counting it and with the commit.</summary>
    public void AddTo(NpgsqlBatch batch, DateTimeOffset now)
    {
        _batch++;
        if (_batch == 1)
            batch.BatchCommands.Add(new NpgsqlBatchCommand(Forget) { Parameters = { Time(now - Keep) } });
        batch.BatchCommands.Add(new NpgsqlBatchCommand(Count) { Parameters = { Uuid(writer), Bigint(_batch), Time(now) } });
        batch.BatchCommands.Add(new NpgsqlBatchCommand("COMMIT"));
    }

    /// <summary>Whether the last batch that <see cref="AddTo"/> ended took effect.</summary>
    public async Task<bool> WasCommittedAsync(NpgsqlConnection connection, DateTimeOffset now)
    {
        await using var command = new NpgsqlCommand(LastCommitted, connection) { Parameters = { Uuid(writer), Time(now) } };
        return (long)(await command.ExecuteScalarAsync())! == _batch;
    }

    private static NpgsqlParameter<Guid> Uuid(Guid value) => new() { TypedValue = value, NpgsqlDbType = NpgsqlDbType.Uuid };

    private static NpgsqlParameter<long> Bigint(long value) => new() { TypedValue = value, NpgsqlDbType = NpgsqlDbType.Bigint };

    private static NpgsqlParameter<DateTime> Time(DateTimeOffset value) =>
        new() { TypedValue = value.UtcDateTime, NpgsqlDbType = NpgsqlDbType.TimestampTz };
}
