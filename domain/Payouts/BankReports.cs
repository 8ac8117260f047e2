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
public sealed class BankReports(NpgsqlDataSource dataSource, PayoutResults results, PayoutsOptions options, OutboxSignal signal,
    TimeProvider time, ILogger<BankReports> logger)
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
        var matched = await MatchAsync(report, ct);
        var (applied, unmatched) = (0, 0);
        var count = matched.Words.Count + matched.Corrections.Count + matched.Unmatched.Count;
        foreach (var chunk in matched.Words.Chunk(Chunk))
        {
            var effects = await ApplyAsync(chunk, ct);
            applied += effects.Count(e => e == PayoutWordEffect.Applied);
            unmatched += effects.Count(e => e is PayoutWordEffect.UnknownPayout or PayoutWordEffect.AmountDiffers);
        }

        foreach (var (merchant, payout, correction) in matched.Corrections)
        {
            var result = await ApplyAsync(merchant, payout, correction, ct);
            switch (result.Effect)
            {
                case CorrectionEffect.Applied:
                    PayoutLog.AccountCorrected(logger, payout, merchant, correction.Code, result.Account!.Value);
                    applied++;
                    break;
                case CorrectionEffect.NothingNew:
                    break;
                case CorrectionEffect.Unmatched:
                    matched.Add(new UnmatchedWord(UnmatchedReason.CorrectionNotApplied, payout.ToString(), result.Reason!)
                    {
                        Payout = payout,
                        Merchant = merchant,
                        OriginalTrace = correction.OriginalTrace,
                        IndividualId = correction.IndividualId,
                        Company = correction.Company,
                        Code = correction.Code,
                        Text = correction.Data.Trim(),
                    });
                    break;
            }
        }

        unmatched += matched.Unmatched.Count;
        foreach (var word in matched.Unmatched)
        {
            PayoutLog.WordUnmatched(logger, name, word.Reference, word.Code, word.Detail);
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

    private Task<IReadOnlyList<PayoutWordEffect>> ApplyAsync(IReadOnlyList<PayoutWord> words, CancellationToken ct) =>
        CommitAsync((connection, transaction) => results.ApplyAsync(connection, transaction, words, time.GetUtcNow(), ct), ct);

    private Task<CorrectionResult> ApplyAsync(MerchantId merchant, PayoutId payout, BankCorrection correction, CancellationToken ct) =>
        CommitAsync((connection, transaction) =>
            AccountCorrections.ApplyAsync(connection, transaction, merchant, payout, correction, time.GetUtcNow(), ct), ct);

    private async Task<T> CommitAsync<T>(Func<NpgsqlConnection, NpgsqlTransaction, Task<T>> work, CancellationToken ct)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await using var connection = await dataSource.OpenConnectionAsync(ct);
                await using var transaction = await connection.BeginTransactionAsync(ct);
                var done = await work(connection, transaction);
                await transaction.CommitAsync(ct);
                return done;
            }
            catch (Exception e) when (attempt < 3 && DatabaseErrors.Advise(e) is RetryAdvice.Again)
            {
                // Another transaction was in the way and this one was rolled back whole.
            }
        }
    }

    private async Task<Matched> MatchAsync(BankReport report, CancellationToken ct)
    {
        var merchants = await MerchantsAsync(
            [.. report.Results.Where(r => r.Payout is not null).Select(r => r.Payout!.Value.Value).Distinct()], ct);
        var traces = await TracesAsync(
            [
                .. report.Results.Where(r => r.Payout is null).Select(r => r.OriginalTrace)
                    .Concat(report.Corrections.Select(c => c.OriginalTrace))
                    .Concat(report.Unmatched.Select(u => u.OriginalTrace))
                    .Select(TraceOf).Distinct(),
            ], ct);
        var matched = new Matched([], [], []);
        foreach (var result in report.Results)
        {
            (MerchantId Merchant, PayoutId Payout)? found = result.Payout is { } id
                ? merchants.TryGetValue(id.Value, out var merchant) ? (merchant, id) : null
                : Traced(traces, result.OriginalTrace, result.IndividualId);
            if (found is var (m, p))
            {
                matched.Words.Add(new PayoutWord(m, p, result.Said, result.Code, result.Text, Amount: result.Amount));
            }
            else
            {
                matched.Add(Unmatched(
                    result.Payout, result.OriginalTrace, result.IndividualId, result.Code, result.Text, result.Amount, result.Company));
            }
        }

        foreach (var correction in report.Corrections)
        {
            var found = Traced(traces, correction.OriginalTrace, correction.IndividualId);
            if (found is var (m, p))
            {
                matched.Corrections.Add((m, p, correction));
            }
            else
            {
                matched.Add(Unmatched(
                    null, correction.OriginalTrace, correction.IndividualId, correction.Code, correction.Data.Trim(), null,
                    correction.Company));
            }
        }

        foreach (var word in report.Unmatched)
        {
            var named = Traced(traces, word.OriginalTrace, word.IndividualId);
            matched.Add(named is null && word.Payout is null && !IsOurs(word.Company, word.OriginalTrace) ? null
                : word with { Payout = named?.Payout ?? word.Payout, Merchant = named?.Merchant ?? word.Merchant });
        }

        return matched;
    }

    // Null: the word is about another company's payment.
    private UnmatchedWord? Unmatched(
        PayoutId? payout, string? trace, string? individual, string? code, string? text, Money? amount, string? company) =>
        IsOurs(company, trace) ? new UnmatchedWord(
            UnmatchedReason.UnknownPayout,
            payout?.ToString() ?? $"{trace} {individual}".Trim(),
            payout is null ? "No payout has this trace number and identification." : "There is no such payout.")
        {
            Payout = payout,
            OriginalTrace = trace,
            IndividualId = individual,
            Company = company,
            Code = code,
            Text = text,
            Amount = amount,
        }
        : null;

    // A bank may send the returns of several companies in one file. What names a payout of ours is ours whatever the batch says: trace number
    // and identification prove it, and the company's number may have changed since. Else the company, or the bank of the trace number, tells.
    private bool IsOurs(string? company, string? trace) =>
        company is null
        || string.Equals(company, options.NachaCompanyId?.Trim(), StringComparison.OrdinalIgnoreCase)
        || (options.NachaOdfi is { Length: > 0 } odfi && trace?.StartsWith(odfi, StringComparison.Ordinal) == true);

    // Running numbers start over; the identification in the entry tells which of several payouts it is.
    private static (MerchantId Merchant, PayoutId Payout)? Traced(
        Dictionary<int, List<(MerchantId Merchant, PayoutId Payout)>> traces, string? trace, string? individual)
    {
        foreach (var (merchant, payout) in traces.GetValueOrDefault(TraceOf(trace)) ?? [])
        {
            if (string.Equals(Nacha.IndividualId(payout), individual, StringComparison.OrdinalIgnoreCase))
            {
                return (merchant, payout);
            }
        }

        return null;
    }

    /// <summary>The words of a report by what becomes of them.</summary>
    private sealed record Matched(List<PayoutWord> Words,
        List<(MerchantId Merchant, PayoutId Payout, BankCorrection Correction)> Corrections, List<UnmatchedWord> Unmatched)
    {
        public void Add(UnmatchedWord? word)
        {
            if (word is not null)
            {
                Unmatched.Add(word);
            }
        }
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
