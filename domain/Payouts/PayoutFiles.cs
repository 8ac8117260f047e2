using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;
using Payments.Domain.Payouts.BankFiles;

namespace Payments.Domain.Payouts;

/// <summary>A planned file of a run: its payouts and everything else that its bytes depend on.</summary>
/// <param name="Modifier">
/// Distinguishes the NACHA files of one day. Null in ISO 20022, and in NACHA files that were planned before modifiers were stored. Those
/// are numbered within their run, and their entries follow the order of merchants instead of trace numbers.
/// </param>
internal sealed record PayoutFile(
    Guid Id, PayoutRunId Run, int Sequence, string Format, Guid FirstMerchant, Guid LastMerchant, int Payouts, long Amount,
    DateOnly ExecutionDate, string Name, DateTimeOffset CreatedAt, bool Uploaded, int? Modifier = null)
{
    public Currency Currency => Format == "pain001" ? Currency.Eur : Currency.Usd;

    public static PayoutFile Read(NpgsqlDataReader row) => new(
        row.GetGuid(0), new PayoutRunId(row.GetGuid(1)), row.GetInt32(2), row.GetString(3), row.GetGuid(4), row.GetGuid(5), row.GetInt32(6), row.GetInt64(7), row.GetFieldValue<DateOnly>(8),
        row.GetString(9), row.GetFieldValue<DateTimeOffset>(10), !row.IsDBNull(11), row.IsDBNull(12) ? null : row.GetInt16(12));
}

/// <summary>
/// Writes a run's payouts to bank files. Planning divides the merchants into ranges that do not overlap, so no payout is in two files.
/// Writing a file again, after a crash or by an operator, gives the same bytes.
/// </summary>
public sealed class PayoutFiles(NpgsqlDataSource dataSource, IPayoutFileStore store, PayoutsOptions options, TimeProvider time, ILogger<PayoutFiles> logger)
{
    private const int Chunk = 5_000;
    private const string Pain001 = "pain001";
    private const string NachaFormat = "nacha";

    /// <summary>Plans the files of a run whose payouts all exist, writes those that are missing and marks their payouts as sent.</summary>
    public async Task WriteAsync(PayoutRun run, CancellationToken ct)
    {
        await PlanAsync(run, ct);
        foreach (var file in await FilesAsync(run.Id, ct))
        {
            if (!file.Uploaded)
            {
                await WriteAsync(file, ct);
            }
        }
    }

    /// <summary>The files of a run, in their order.</summary>
    public async Task<IReadOnlyList<PayoutFileResource>> ListAsync(PayoutRunId run, CancellationToken ct) =>
        [.. (await FilesAsync(run, ct)).Select(f => new PayoutFileResource("payout_file", f.Sequence + 1, f.Name, f.Format, f.Payouts, f.Amount, f.ExecutionDate, f.Uploaded))];

    /// <summary>A stored file of a run. Null if there is none of this number, or it is not written yet.</summary>
    public async Task<(string Name, string ContentType, Stream Content)?> OpenAsync(PayoutRunId run, int number, CancellationToken ct)
    {
        var file = (await FilesAsync(run, ct)).FirstOrDefault(f => f.Sequence + 1 == number && f.Uploaded);
        return file is null ? null : (file.Name, ContentTypeOf(file), await store.OpenAsync(file.Name, ct));
    }

    /// <summary>Writes a planned file again to <paramref name="output"/>, byte for byte. Returns how many payouts are in it.</summary>
    /// <exception cref="FileNotFoundException">No such file was planned.</exception>
    public async Task<int> RewriteAsync(string name, Stream output, CancellationToken ct)
    {
        PayoutFile file;
        await using (var command = dataSource.CreateCommand(PayoutFileSql.ByName))
        {
            command.Parameters.Add(new() { Value = name });
            await using var reader = await command.ExecuteReaderAsync(ct);
            file = await reader.ReadAsync(ct) ? PayoutFile.Read(reader) : throw new FileNotFoundException($"No payout file {name} was planned.", name);
        }

        await WriteContentAsync(file, output, ct);
        return file.Payouts;
    }

    internal async Task WriteAsync(PayoutFile file, CancellationToken ct)
    {
        var bytes = 0L;
        var hash = Array.Empty<byte>();
        await store.WriteAsync(file.Name, ContentTypeOf(file), async (output, token) =>
        {
            using var sha = SHA256.Create();
            await using var hashed = new CryptoStream(output, sha, CryptoStreamMode.Write, leaveOpen: true);
            bytes = await WriteContentAsync(file, hashed, token);
            await hashed.FlushFinalBlockAsync(token);
            hash = sha.Hash!;
        }, ct);

        // From now on the bank may have the file. After a crash before the last statement, the next try writes the same bytes again.
        await MarkSentAsync(file, ct);
        await using var uploaded = dataSource.CreateCommand(PayoutFileSql.Uploaded);
        uploaded.Parameters.Add(new() { Value = file.Id });
        uploaded.Parameters.Add(new() { Value = hash });
        uploaded.Parameters.Add(new() { Value = bytes });
        uploaded.Parameters.Add(new() { Value = time.GetUtcNow() });
        await uploaded.ExecuteNonQueryAsync(ct);
        PayoutLog.FileWritten(logger, file.Name, file.Payouts, file.Amount, bytes);
    }

    internal Task<long> WriteContentAsync(PayoutFile file, Stream output, CancellationToken ct)
    {
        var currency = file.Format == Pain001 ? Currency.Eur : Currency.Usd;
        var head = new BankFileHead(file.Id, file.CreatedAt, file.ExecutionDate, file.Payouts, new Money(file.Amount, currency),
            file.Modifier ?? Modifier(file.Sequence), file.Modifier is not null);
        var transfers = TransfersAsync(file, currency, ct);
        return file.Format == Pain001
            ? Pain001Writer.WriteAsync(output, head, options.SepaOriginator(), transfers, ct)
            : NachaWriter.WriteAsync(output, head, options.NachaOriginator(), transfers, ct);
    }

    internal async Task<IReadOnlyList<PayoutFile>> FilesAsync(PayoutRunId run, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(PayoutFileSql.OfRun);
        command.Parameters.Add(new() { Value = run.Value });
        await using var reader = await command.ExecuteReaderAsync(ct);
        var files = new List<PayoutFile>();
        while (await reader.ReadAsync(ct))
        {
            files.Add(PayoutFile.Read(reader));
        }

        return files;
    }

    private async Task PlanAsync(PayoutRun run, CancellationToken ct)
    {
        var format = run.Currency.Code switch
        {
            "EUR" => Pain001,
            "USD" => NachaFormat,
            _ => throw new InvalidOperationException($"There is no bank file for {run.Currency}: set Payouts:Rails:{run.Currency} to sandbox."),
        };
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using (var lockRun = new NpgsqlCommand(PayoutFileSql.LockRun, connection, transaction) { Parameters = { new() { Value = run.Id.Value } } })
        {
            await lockRun.ExecuteNonQueryAsync(ct);
        }

        await using (var has = new NpgsqlCommand(PayoutFileSql.HasFiles, connection, transaction) { Parameters = { new() { Value = run.Id.Value } } })
        {
            if (await has.ExecuteScalarAsync(ct) is true)
            {
                return;
            }
        }

        await using (var take = new NpgsqlCommand(PayoutFileSql.TakeAlong, connection, transaction) { Parameters = { new() { Value = run.Id.Value }, new() { Value = run.Currency.Code } } })
        {
            await take.ExecuteNonQueryAsync(ct);
        }

        var now = time.GetUtcNow();
        var files = new List<PayoutFile>();
        await using (var amounts = new NpgsqlCommand(PayoutFileSql.Amounts, connection, transaction) { Parameters = { new() { Value = run.Id.Value } } })
        {
            await using var reader = await amounts.ExecuteReaderAsync(ct);
            while (await reader.ReadAsync(ct))
            {
                Add(files, run, format, reader.GetGuid(0), reader.GetInt32(1), reader.GetInt64(2), now);
            }
        }

        if (files.Count > 0)
        {
            if (format == NachaFormat)
            {
                var first = await FilesOfTheDayAsync(connection, transaction, now, files.Count, ct);
                files = [.. files.Select((file, i) => file with { Modifier = first + i })];
            }

            await InsertAsync(connection, transaction, run, files, format, now, ct);
        }

        await transaction.CommitAsync(ct);
    }

    // The number of NACHA files that already bear the day. The lock lasts until the commit, so that the plans of two runs do not take the
    // same modifiers.
    private static async Task<int> FilesOfTheDayAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, DateTimeOffset now,
        int more, CancellationToken ct)
    {
        await using (var hold = new NpgsqlCommand(PayoutFileSql.HoldNumbers, connection, transaction))
        {
            await hold.ExecuteNonQueryAsync(ct);
        }

        var cutOff = CutOff.Of(Currency.Usd);
        var day = cutOff.LocalDate(now);
        await using var command = new NpgsqlCommand(PayoutFileSql.OfTheDay, connection, transaction)
        {
            Parameters =
            {
                new() { Value = day },
                new() { Value = cutOff.EndOf(day.AddDays(-1)).ToUniversalTime() },
                new() { Value = cutOff.EndOf(day).ToUniversalTime() },
            },
        };
        var files = (int)(await command.ExecuteScalarAsync(ct))!;
        return files + more <= Nacha.MaxFilesOfADay
            ? files
            : throw new InvalidOperationException(
                $"The run needs {more} NACHA files and {day:yyyy-MM-dd} has {files} already. The format tells {Nacha.MaxFilesOfADay} of a day apart. " +
                "Raise Payouts:FilePayouts, or leave the run for tomorrow: the timer tries again.");
    }

    // The modifier of a file that was planned before modifiers were stored.
    private static int Modifier(int sequence) => sequence < 26 ? sequence : 26 + ((sequence - 26) % 10);

    // A file ends at the number of payments agreed with the bank, or before its total exceeds the twelve digits of a NACHA control record.
    private void Add(List<PayoutFile> files, PayoutRun run, string format, Guid merchant, int payouts, long amount, DateTimeOffset now)
    {
        if (files.Count > 0 && files[^1] is var last && last.Payouts <= Math.Min(options.FilePayouts, Nacha.MaxEntries) - payouts && last.Amount <= Nacha.MaxTotal - amount)
        {
            files[^1] = last with { LastMerchant = merchant, Payouts = last.Payouts + payouts, Amount = last.Amount + amount };
            return;
        }

        var name = string.Create(CultureInfo.InvariantCulture, $"{run.Date:yyyy-MM-dd}/{run.Currency.Code}-{files.Count + 1:000}.{(format == Pain001 ? "pain.001.xml" : "ach")}");
        files.Add(new PayoutFile(Guid.CreateVersion7(now), run.Id, files.Count, format, merchant, merchant, payouts, amount, run.ExecutionDate, name, now, false));
    }

    private static async Task InsertAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, PayoutRun run, List<PayoutFile> files, string format, DateTimeOffset now, CancellationToken ct)
    {
        await using var insert = new NpgsqlCommand(PayoutFileSql.Insert, connection, transaction)
        {
            Parameters =
            {
                Columns.Of(files, f => f.Id, NpgsqlDbType.Uuid),
                new() { Value = run.Id.Value },
                Columns.Of(files, f => f.Sequence, NpgsqlDbType.Integer),
                new() { Value = format },
                Columns.Of(files, f => f.FirstMerchant, NpgsqlDbType.Uuid),
                Columns.Of(files, f => f.LastMerchant, NpgsqlDbType.Uuid),
                Columns.Of(files, f => f.Payouts, NpgsqlDbType.Integer),
                Columns.Of(files, f => f.Amount, NpgsqlDbType.Bigint),
                new() { Value = run.ExecutionDate },
                Columns.Of(files, f => f.Name, NpgsqlDbType.Text),
                new() { Value = now },
                Columns.Of(files, f => (short?)f.Modifier, NpgsqlDbType.Smallint),
                new() { Value = CutOff.Of(run.Currency).LocalDate(now) },
            },
        };
        await insert.ExecuteNonQueryAsync(ct);
    }

    private async IAsyncEnumerable<CreditTransfer> TransfersAsync(PayoutFile file, Currency currency, [EnumeratorCancellation] CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(file.Modifier is null ? PayoutFileSql.Content : PayoutFileSql.ContentByTrace);
        command.CommandTimeout = 0;
        command.Parameters.Add(new() { Value = file.Run.Value });
        command.Parameters.Add(new() { Value = file.FirstMerchant });
        command.Parameters.Add(new() { Value = file.LastMerchant });
        await using var row = await command.ExecuteReaderAsync(ct);
        while (await row.ReadAsync(ct))
        {
            var account = BankAccountDetails.Stored(
                DbText.Parse<BankAccountKind>(row.GetString(3)), row.GetString(4), Text(row, 5), Text(row, 6), Text(row, 7), Text(row, 8),
                row.IsDBNull(9) ? default : DbText.Parse<UsAccountType>(row.GetString(9)), BankAccount.Address(row, 10));
            yield return new CreditTransfer(new PayoutId(row.GetGuid(0)), new Money(row.GetInt64(1), currency), account, row.IsDBNull(2) ? 0 : row.GetInt32(2));
        }
    }

    private async Task MarkSentAsync(PayoutFile file, CancellationToken ct)
    {
        // The range begins with the first merchant, so the cursor stands right before it.
        var (cursor, entry) = (Before(file.FirstMerchant), (short)0);
        while (true)
        {
            await using var sent = dataSource.CreateCommand(PayoutFileSql.Sent);
            sent.Parameters.Add(new() { Value = file.Run.Value });
            sent.Parameters.Add(new() { Value = cursor });
            sent.Parameters.Add(new() { Value = file.LastMerchant });
            sent.Parameters.Add(new() { Value = Chunk });
            sent.Parameters.Add(new() { Value = time.GetUtcNow() });
            sent.Parameters.Add(new() { Value = entry });
            await using var reader = await sent.ExecuteReaderAsync(ct);
            if (!await reader.ReadAsync(ct))
            {
                return;
            }

            (cursor, entry) = (reader.GetGuid(0), reader.GetInt16(1));
        }
    }

    /// <summary>The uuid right before another in the order of the database, which is the order of its bytes.</summary>
    internal static Guid Before(Guid id)
    {
        var bytes = id.ToByteArray(bigEndian: true);
        for (var i = bytes.Length - 1; i >= 0; i--)
        {
            if (bytes[i] != 0)
            {
                bytes[i]--;
                break;
            }

            bytes[i] = 0xFF;
        }

        return new Guid(bytes, bigEndian: true);
    }

    private static string ContentTypeOf(PayoutFile file) => file.Format == Pain001 ? "application/xml" : "text/plain";

    private static string? Text(NpgsqlDataReader row, int at) => row.IsDBNull(at) ? null : row.GetString(at);
}
