using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;
using Payments.Domain.Messaging;
using Payments.Domain.Payouts.BankFiles;

namespace Payments.Domain.Payouts;

/// <param name="Results">Payments the report speaks of.</param>
/// <param name="Applied">Those that changed a payout.</param>
/// <param name="Unmatched">Those that match no payout, or one of another amount: somebody has to look.</param>
public sealed record BankReportSummary(string Id, int Results, int Applied, int Unmatched, bool Repeated);

/// <summary>
/// Applies what banks report in files: payment status, statements, NACHA returns. A file is applied once by its content, and each of its lines
/// changes a payout at most once, so a crash in the middle, a repeat or another file that says the same change nothing twice.
/// </summary>
public sealed class BankReports(NpgsqlDataSource dataSource, PayoutResults results, OutboxSignal signal, TimeProvider time, ILogger<BankReports> logger)
{
    private const int Chunk = 1_000;

    /// <exception cref="BankFileException">The file cannot be trusted; nothing of it was applied.</exception>
    public async Task<BankReportSummary> ApplyAsync(string name, Stream content, CancellationToken ct)
    {
        // A report is read whole before any of it is applied: a file cut short must not be half applied.
        using var buffer = new MemoryStream();
        await content.CopyToAsync(buffer, ct);
        var hash = SHA256.HashData(buffer.GetBuffer().AsSpan(0, (int)buffer.Length));
        if (await KnownAsync(hash, ct) is { } known)
        {
            return known;
        }

        buffer.Position = 0;
        var report = await BankReportReader.ReadAsync(buffer, ct);
        var (words, unmatched) = await MatchAsync(report.Results, ct);
        var (applied, count) = (0, report.Results.Count);
        foreach (var chunk in words.Chunk(Chunk))
        {
            var effects = await ApplyAsync(chunk, ct);
            applied += effects.Count(e => e == PayoutWordEffect.Applied);
            unmatched += effects.Count(e => e is PayoutWordEffect.UnknownPayout or PayoutWordEffect.AmountDiffers);
        }

        foreach (var file in report.Files)
        {
            var (fileApplied, fileCount) = await ApplyAsync(file, ct);
            applied += fileApplied;
            count += fileCount;
            unmatched += fileCount == 0 ? 1 : 0;
        }

        await KeepAsync(hash, name, report.Id, count, applied, unmatched, ct);
        signal.Set();
        PayoutLog.ReportApplied(logger, name, count, applied, unmatched);
        return new BankReportSummary(report.Id, count, applied, unmatched, Repeated: false);
    }

    /// <summary>What a bank says of a whole file holds for each of its payouts.</summary>
    private async Task<(int Applied, int Count)> ApplyAsync(BankFileResult said, CancellationToken ct)
    {
        if (await FileAsync(said.File, ct) is not { } file)
        {
            PayoutLog.UnknownPayout(logger, $"file {said.File:N}");
            return (0, 0);
        }

        if (said.Amount is { } amount && amount.MinorUnits != file.Amount)
        {
            PayoutLog.FileAmountDiffers(logger, file.Name, amount, file.Amount);
            return (0, 0);
        }

        var (applied, count) = (0, 0);
        var (cursor, entry) = (PayoutFiles.Before(file.FirstMerchant), (short)0);
        while (true)
        {
            var words = new List<PayoutWord>(Chunk);
            await using (var command = dataSource.CreateCommand(PayoutFileSql.Members))
            {
                command.Parameters.Add(new() { Value = file.Run.Value });
                command.Parameters.Add(new() { Value = cursor });
                command.Parameters.Add(new() { Value = file.LastMerchant });
                command.Parameters.Add(new() { Value = Chunk });
                command.Parameters.Add(new() { Value = entry });
                await using var reader = await command.ExecuteReaderAsync(ct);
                while (await reader.ReadAsync(ct))
                {
                    words.Add(new PayoutWord(new MerchantId(reader.GetGuid(0)), new PayoutId(reader.GetGuid(1)), said.Said, said.Code, said.Text));
                    entry = reader.GetInt16(2);
                }
            }

            if (words.Count == 0)
            {
                return (applied, count);
            }

            applied += (await ApplyAsync(words, ct)).Count(e => e == PayoutWordEffect.Applied);
            count += words.Count;
            cursor = words[^1].Merchant.Value;
        }
    }

    private async Task<IReadOnlyList<PayoutWordEffect>> ApplyAsync(IReadOnlyList<PayoutWord> words, CancellationToken ct)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await using var connection = await dataSource.OpenConnectionAsync(ct);
                await using var transaction = await connection.BeginTransactionAsync(ct);
                var effects = await results.ApplyAsync(connection, transaction, words, time.GetUtcNow(), ct);
                await transaction.CommitAsync(ct);
                return effects;
            }
            catch (Exception e) when (attempt < 3 && DatabaseErrors.Advise(e) is RetryAdvice.Again)
            {
                // Another transaction was in the way and this one was rolled back whole.
            }
        }
    }

    private async Task<(List<PayoutWord> Words, int Unmatched)> MatchAsync(IReadOnlyList<BankResult> said, CancellationToken ct)
    {
        var merchants = await MerchantsAsync([.. said.Where(r => r.Payout is not null).Select(r => r.Payout!.Value.Value).Distinct()], ct);
        var traces = await TracesAsync([.. said.Where(r => r.Payout is null).Select(r => TraceOf(r.OriginalTrace)).Distinct()], ct);
        var words = new List<PayoutWord>(said.Count);
        var unmatched = 0;
        foreach (var result in said)
        {
            (MerchantId Merchant, PayoutId Payout)? found = result.Payout is { } id
                ? merchants.TryGetValue(id.Value, out var merchant) ? (merchant, id) : null

                // Running numbers start over; the id in the entry tells which of several payouts it is.
                : traces.GetValueOrDefault(TraceOf(result.OriginalTrace))?.LastOrDefault(p => Nacha.IndividualId(p.Payout) == result.IndividualId);
            if (found is var (m, p))
            {
                words.Add(new PayoutWord(m, p, result.Said, result.Code, result.Text, Amount: result.Amount));
            }
            else
            {
                PayoutLog.UnknownPayout(logger, result.Payout?.ToString() ?? $"trace {result.OriginalTrace} {result.IndividualId}");
                unmatched++;
            }
        }

        return (words, unmatched);
    }

    private async Task<Dictionary<Guid, MerchantId>> MerchantsAsync(Guid[] payouts, CancellationToken ct)
    {
        var found = new Dictionary<Guid, MerchantId>(payouts.Length);
        await using var command = dataSource.CreateCommand(PayoutSql.FindByIds);
        command.Parameters.Add(new() { Value = payouts, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Uuid });
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            found.Add(reader.GetGuid(1), new MerchantId(reader.GetGuid(0)));
        }

        return found;
    }

    private async Task<Dictionary<int, List<(MerchantId Merchant, PayoutId Payout)>>> TracesAsync(int[] traces, CancellationToken ct)
    {
        var found = new Dictionary<int, List<(MerchantId, PayoutId)>>(traces.Length);
        await using var command = dataSource.CreateCommand(PayoutSql.FindByTraces);
        command.Parameters.Add(new() { Value = traces, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Integer });
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            if (!found.TryGetValue(reader.GetInt32(2), out var payouts))
            {
                found.Add(reader.GetInt32(2), payouts = []);
            }

            payouts.Add((new MerchantId(reader.GetGuid(0)), new PayoutId(reader.GetGuid(1))));
        }

        return found;
    }

    private static int TraceOf(string? trace) =>
        trace is { Length: 15 } && int.TryParse(trace.AsSpan(8), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;

    private async Task<PayoutFile?> FileAsync(Guid id, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(PayoutFileSql.Get);
        command.Parameters.Add(new() { Value = id });
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await reader.ReadAsync(ct) ? PayoutFile.Read(reader) : null;
    }

    private async Task<BankReportSummary?> KnownAsync(byte[] hash, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(PayoutFileSql.ReportIsKnown);
        command.Parameters.Add(new() { Value = hash });
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await reader.ReadAsync(ct) ? new BankReportSummary(reader.GetString(0), reader.GetInt32(1), reader.GetInt32(2), reader.GetInt32(3), Repeated: true) : null;
    }

    private async Task KeepAsync(byte[] hash, string name, string id, int count, int applied, int unmatched, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(PayoutFileSql.KeepReport);
        command.Parameters.Add(new() { Value = hash });
        command.Parameters.Add(new() { Value = name });
        command.Parameters.Add(new() { Value = id });
        command.Parameters.Add(new() { Value = count });
        command.Parameters.Add(new() { Value = applied });
        command.Parameters.Add(new() { Value = unmatched });
        command.Parameters.Add(new() { Value = time.GetUtcNow() });
        await command.ExecuteNonQueryAsync(ct);
    }
}
