using Npgsql;
using NpgsqlTypes;

namespace Payments.Domain.Database;

/// <summary>
/// Counts a writer's commits in one row, inside the transactions that it commits. After a lost connection, the row tells the writer whether
/// its last commit took effect. A transaction id cannot tell: after a crash the server may assign the same id again.
/// </summary>
/// <remarks>One batch at a time uses a marker.</remarks>
internal sealed class CommitMarker(Guid writer)
{
    private const string Count = """
        INSERT INTO payments.commit_markers (writer, batch, committed_at) VALUES ($1, $2, $3)
        ON CONFLICT (writer) DO UPDATE SET batch = EXCLUDED.batch, committed_at = EXCLUDED.committed_at
        """;

    // A write, not a read: it waits for an earlier transaction of this writer that the server has not ended yet.
    private const string LastCommitted = """
        INSERT INTO payments.commit_markers (writer, batch, committed_at) VALUES ($1, 0, $2)
        ON CONFLICT (writer) DO UPDATE SET committed_at = EXCLUDED.committed_at
        RETURNING batch
        """;

    // A writer that ended long ago never reads its marker again.
    private const string Forget = "DELETE FROM payments.commit_markers WHERE committed_at < $1";

    private static readonly TimeSpan Keep = TimeSpan.FromDays(7);
    private long _batch;

    /// <summary>Appends the update of the marker and the COMMIT to the batch.</summary>
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
