using System.Security.Cryptography;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;
using Payments.Domain.Messaging;
using Payments.Domain.Observability;

namespace Payments.Domain.Disputes.Files;

/// <summary>
/// Applies a partner's dispute file. It streams the file in batches of lines. Each batch shares a transaction with the count of lines that
/// are done. Applying a file again, after a crash or because it came twice, does only what is left of it.
/// </summary>
public sealed partial class DisputeFileIngestion(
    NpgsqlDataSource dataSource, DisputeIngestion ingestion, OutboxSignal outbox, TimeProvider time, ILogger<DisputeFileIngestion> logger)
{
    private const int Attempts = 5;

    /// <summary>The number of lines that share a transaction.</summary>
    internal int BatchSize { get; init; } = 4000;

    /// <summary>
    /// Applies a file and returns its summary. Lines that cannot be read are rejected one by one (<see cref="RejectsAsync"/>). Each good
    /// line is applied once.
    /// </summary>
    /// <param name="open">Opens the bytes as they arrived, from the beginning. It is called twice. The stream must be seekable.</param>
    /// <returns>Null if another run is processing the same file.</returns>
    public async Task<DisputeFile?> ApplyAsync(
        string partner, DisputeFileDialect dialect, string name, Func<CancellationToken, Task<Stream>> open, CancellationToken ct)
    {
        byte[] hash;
        await using (var bytes = await open(ct))
        {
            hash = await SHA256.HashDataAsync(bytes, ct);
        }

        var file = new FileKey(partner, hash);
        var (status, done) = await StartAsync(file, name, ct);
        if (status != DisputeFileStatus.Processing)
        {
            DisputeLog.FileAlreadyProcessed(logger, partner, name);
            return await GetAsync(partner, hash, ct);
        }

        var stream = await open(ct);
        await using var reader = await DisputeFileReader.OpenAsync(stream, dialect, name, ct);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var batches = Channel.CreateBounded<List<DisputeFileLine>>(new BoundedChannelOptions(1) { SingleReader = true, SingleWriter = true });
        var reading = Task.Run(() => ReadAsync(reader, done, batches.Writer, stop.Token), ct);
        try
        {
            await foreach (var batch in batches.Reader.ReadAllAsync(ct))
            {
                if (!await ApplyAsync(file, batch, done, ct))
                {
                    DisputeLog.FileInUse(logger, partner, name);
                    return null;
                }

                done = batch[^1].Number;
            }
        }
        finally
        {
            await stop.CancelAsync();
            await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await FinishAsync(file, reader.IsRejected ? DisputeFileStatus.Rejected : DisputeFileStatus.Completed, ct);
        return await GetAsync(partner, hash, ct);
    }

    public async Task<DisputeFile?> GetAsync(string partner, byte[] hash, CancellationToken ct)
    {
        await using var command = Command(DisputeFileSql.Get, new FileKey(partner, hash));
        await using var row = await command.ExecuteReaderAsync(ct);
        return await row.ReadAsync(ct) ? Read(row) : null;
    }

    /// <summary>The files of one partner or of all, latest first.</summary>
    /// <param name="after">The last file of the previous page, by its partner and hash.</param>
    public async Task<IReadOnlyList<DisputeFile>> ListAsync(string? partner, (string Partner, byte[] Hash)? after, int limit, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(DisputeFileSql.List);
        command.Parameters.Add(new NpgsqlParameter { Value = (object?)partner ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
        command.Parameters.Add(new NpgsqlParameter { Value = (object?)after?.Partner ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text });
        command.Parameters.Add(new NpgsqlParameter { Value = (object?)after?.Hash ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Bytea });
        await using var row = await command.ExecuteReaderAsync(ct);
        var files = new List<DisputeFile>();
        while (await row.ReadAsync(ct))
            files.Add(Read(row));
        return files;
    }

    /// <summary>The rejected lines of a file, by number.</summary>
    /// <param name="after">The number of the line after which to begin.</param>
    public async IAsyncEnumerable<DisputeFileReject> RejectsAsync(
        string partner, byte[] hash, long after, int limit, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        await using var command = Command(DisputeFileSql.Rejects, new FileKey(partner, hash));
        command.Parameters.Add(Long(after));
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
        await using var row = await command.ExecuteReaderAsync(ct);
        while (await row.ReadAsync(ct))
            yield return new DisputeFileReject(row.GetInt64(0), row.GetString(1), row.IsDBNull(2) ? null : row.GetString(2), row.IsDBNull(3) ? null : row.GetString(3));
    }

    private async Task ReadAsync(DisputeFileReader reader, long done, ChannelWriter<List<DisputeFileLine>> writer, CancellationToken ct)
    {
        try
        {
            while (true)
            {
                var batch = new List<DisputeFileLine>(BatchSize);
                await reader.ReadAsync(batch, BatchSize, ct);
                if (batch.Count == 0)
                    break;
                batch.RemoveAll(line => line.Number <= done);
                if (batch.Count > 0)
                    await writer.WriteAsync(batch, ct);
            }

            writer.Complete();
        }
        catch (Exception e)
        {
            // The reader of the channel throws it.
            writer.Complete(e);
        }
    }

    /// <summary>False if <c>lines_done</c> has another value than expected: another run has done these lines.</summary>
    private async Task<bool> ApplyAsync(FileKey file, List<DisputeFileLine> batch, long done, CancellationToken ct)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await TryApplyAsync(file, batch, done, ct);
            }
            catch (Exception e) when (attempt < Attempts && (DatabaseErrors.Advise(e) == RetryAdvice.Again || DisputeIngestion.IsOvertaken(e)))
            {
                DisputeLog.TransactionRetried(logger, attempt, e);
            }
        }
    }

    private async Task<bool> TryApplyAsync(FileKey file, List<DisputeFileLine> batch, long done, CancellationToken ct)
    {
        var good = batch.Where(line => line.Update is not null).Select(line => line.Update!).ToList();
        var bad = batch.Where(line => line.Rejection is not null).ToList();
        if (PaymentSteps.IsObserved(PaymentSteps.DisputeLinesRead))
            PaymentSteps.Reached(PaymentSteps.DisputeLinesRead, good);
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        var results = await ingestion.ApplyInBulkAsync(connection, transaction, good, ct);
        await using var writes = new NpgsqlBatch(connection, transaction);
        if (bad.Count > 0)
        {
            writes.BatchCommands.Add(new NpgsqlBatchCommand(DisputeFileSql.Reject)
            {
                Parameters =
                {
                    Text(file.Partner),
                    Bytes(file.Hash),
                    Columns.Of(bad, line => line.Number, NpgsqlDbType.Bigint),
                    Columns.Of(bad, line => DbText.Of(line.Rejection!.Value), NpgsqlDbType.Text),
                    Columns.Of(bad, line => Storable(line.Detail), NpgsqlDbType.Text),
                    Columns.Of(bad, line => Storable(line.Text), NpgsqlDbType.Text),
                },
            });
        }

        var advance = new NpgsqlBatchCommand(DisputeFileSql.Advance)
        {
            Parameters =
            {
                Text(file.Partner), Bytes(file.Hash), Long(done), Long(batch[^1].Number),
                Long(Count(DisputeIngestionStatus.Applied)), Long(Count(DisputeIngestionStatus.Duplicate)), Long(Count(DisputeIngestionStatus.Unmatched)), Long(bad.Count),
            },
        };
        writes.BatchCommands.Add(advance);
        await writes.ExecuteNonQueryAsync(ct);
        if (advance.RecordsAffected != 1)
            return false;
        await transaction.CommitAsync(ct);
        outbox.Set();
        return true;

        long Count(DisputeIngestionStatus status) => results.Count(result => result.Status == status);
    }

    private async Task<(DisputeFileStatus Status, long LinesDone)> StartAsync(FileKey file, string name, CancellationToken ct)
    {
        await using var command = Command(DisputeFileSql.Start, file);
        command.Parameters.Add(Text(name));
        command.Parameters.Add(Time(time.GetUtcNow()));
        await using var row = await command.ExecuteReaderAsync(ct);
        await row.ReadAsync(ct);
        return (DbText.Parse<DisputeFileStatus>(row.GetString(0)), row.GetInt64(1));
    }

    /// <summary>The event goes to the platform, because a file reports disputes of many merchants.</summary>
    private async Task FinishAsync(FileKey file, DisputeFileStatus status, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using var finish = new NpgsqlCommand(DisputeFileSql.Finish, connection, transaction)
        {
            Parameters = { Text(file.Partner), Bytes(file.Hash), Text(DbText.Of(status)), Time(now) },
        };
        if (await finish.ExecuteNonQueryAsync(ct) == 0)
            return;
        await using var get = new NpgsqlCommand(DisputeFileSql.Get, connection, transaction) { Parameters = { Text(file.Partner), Bytes(file.Hash) } };
        DisputeFile summary;
        await using (var row = await get.ExecuteReaderAsync(ct))
        {
            await row.ReadAsync(ct);
            summary = Read(row);
        }

        var data = JsonSerializer.Serialize(DisputeFileResource.Of(summary), DisputeFileJson.Default.DisputeFileResource);
        var type = status == DisputeFileStatus.Rejected ? "dispute_file.rejected" : "dispute_file.completed";
        await EventLog.AppendAsync(
            connection,
            transaction,
            [new DomainEvent(PrefixedId.New<EventId>(now), default, type, "dispute_file", new Guid(file.Hash.AsSpan(0, 16), bigEndian: true), data, now)],
            ct);
        await transaction.CommitAsync(ct);
        outbox.Set();
        DisputeLog.FileProcessed(
            logger, file.Partner, summary.Name, summary.Status, summary.Applied, summary.Duplicate, summary.Unmatched, summary.Rejected);
    }

    private static DisputeFile Read(NpgsqlDataReader row) => new(
        row.GetString(0),
        row.GetFieldValue<byte[]>(1),
        row.GetString(2),
        DbText.Parse<DisputeFileStatus>(row.GetString(3)),
        row.GetInt64(4),
        row.GetInt64(5),
        row.GetInt64(6),
        row.GetInt64(7),
        row.GetInt64(8),
        row.GetInt32(9),
        new DateTimeOffset(row.GetDateTime(10), TimeSpan.Zero),
        row.IsDBNull(11) ? null : new DateTimeOffset(row.GetDateTime(11), TimeSpan.Zero));

    private NpgsqlCommand Command(string sql, FileKey file)
    {
        var command = dataSource.CreateCommand(sql);
        command.Parameters.Add(Text(file.Partner));
        command.Parameters.Add(Bytes(file.Hash));
        return command;
    }

    /// <summary>Text that Postgres can hold, at most 1000 characters, with card numbers masked.</summary>
    private static string? Storable(string? text)
    {
        if (text is null)
            return null;
        var length = Math.Min(text.Length, 1000);
        if (length > 0 && char.IsHighSurrogate(text[length - 1]))
            length--;
        return CardNumber().Replace(text[..length].Replace('\0', '\uFFFD'), "****");
    }

    // ISO/IEC 7812: 12 to 19 digits, often printed in groups.
    [GeneratedRegex(@"\d(?:[ -]?\d){11,18}")]
    private static partial Regex CardNumber();

    private static NpgsqlParameter Text(string value) => new() { Value = value, NpgsqlDbType = NpgsqlDbType.Text };

    private static NpgsqlParameter Bytes(byte[] value) => new() { Value = value, NpgsqlDbType = NpgsqlDbType.Bytea };

    private static NpgsqlParameter Long(long value) => new() { Value = value, NpgsqlDbType = NpgsqlDbType.Bigint };

    private static NpgsqlParameter Time(DateTimeOffset value) => new() { Value = value.UtcDateTime, NpgsqlDbType = NpgsqlDbType.TimestampTz };

    private readonly record struct FileKey(string Partner, byte[] Hash);
}
