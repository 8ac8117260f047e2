using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Npgsql;
using Payments.Domain.Database;
using Payments.Domain.Messaging;
using Payments.Domain.Payouts.BankFiles;

namespace Payments.Domain.Payouts;

/// <param name="Results">The number of our payments in the report.</param>
/// <param name="Applied">The number of results that changed a payout or its account.</param>
/// <param name="Unmatched">
/// The number of results that name a payout, a file or an account of ours and cannot be applied. Each one is kept for an operator.
/// </param>
public sealed record BankReportSummary(string Id, int Results, int Applied, int Unmatched, bool Repeated);

/// <summary>
/// Applies the reports that banks send in files: payment status, statements, NACHA returns and notifications of change. A file is applied
/// once by its content, and each of its lines changes a payout at most once. So a crash in the middle, a repeat, or another file with the
/// same results changes nothing twice. Results that cannot be applied are kept as unmatched, together with the report or with its
/// rejection.
/// </summary>
public sealed class BankReports(
    NpgsqlDataSource dataSource, PayoutResults results, UnmatchedBankItems items, PayoutsOptions options, OutboxSignal signal,
    TimeProvider time, ILogger<BankReports> logger)
{
    private const int Chunk = 1_000;
    private const string GivenBack = "The payout had failed or was canceled before, and its money was given back.";

    private readonly BankReportMatching _matching = new(dataSource, options);

    /// <exception cref="BankFileException">The file cannot be trusted. Nothing of it was applied.</exception>
    public async Task<BankReportSummary> ApplyAsync(string name, Stream content, CancellationToken ct)
    {
        // Read the whole file before applying any of it. A truncated file must not be applied in part.
        using var buffer = new MemoryStream();
        await content.CopyToAsync(buffer, ct);
        var hash = SHA256.HashData(buffer.GetBuffer().AsSpan(0, (int)buffer.Length));
        if (await KnownAsync(hash, ct) is { } known)
        {
            return known;
        }

        buffer.Position = 0;
        BankReport report;
        try
        {
            report = await BankReportReader.ReadAsync(buffer, OwnAccounts(), ct);
        }
        catch (BankFileException e)
        {
            PayoutLog.ReportRejected(logger, name, e.Message);
            await items.RejectAsync(hash, name, e.Message, ct);
            signal.Set();
            throw;
        }

        var matched = await _matching.MatchAsync(report, ct);
        var unmatched = matched.Unmatched;
        var (applied, count) = (0, matched.Count);
        var held = new HashSet<PayoutId>();
        foreach (var chunk in matched.Words.Chunk(Chunk))
        {
            var effects = await ApplyAsync([.. chunk.Select(c => c.Word)], ct);
            applied += effects.Count(e => e is PayoutWordEffect.Applied or PayoutWordEffect.Held);
            for (var i = 0; i < chunk.Length; i++)
            {
                if (Unmatched(effects[i], chunk[i].Result, chunk[i].Word) is { } item
                    && (item.Reason != UnmatchedReason.HeldByBank || held.Add(chunk[i].Word.Payout)))
                {
                    unmatched.Add(item);
                }
            }
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
                    unmatched.Add(UnmatchedWord.Of(correction, UnmatchedReason.CorrectionNotApplied, result.Reason!) with
                    {
                        Payout = payout,
                        Merchant = merchant,
                    });
                    break;
            }
        }

        // One statement may book a rejected payout and give it back. Its status stays as it was, so this is no contradiction.
        var returned = report.Results.Where(r => r.Said == PayoutStatus.Returned).Select(r => r.Payout).ToHashSet();
        unmatched.RemoveAll(u =>
            u is { Reason: UnmatchedReason.StatusContradicts, Said: PayoutStatus.Paid, Payout: { } payout } && returned.Contains(payout));
        foreach (var file in report.Files)
        {
            var (fileApplied, fileCount, items) = await ApplyAsync(file, ct);
            applied += fileApplied;
            count += fileCount;
            unmatched.AddRange(items);
        }

        var kept = await KeepAsync(hash, name, report.Id, count, applied, unmatched, ct);
        signal.Set();
        foreach (var item in kept)
        {
            PayoutLog.Unmatched(logger, name, item.Reason, item.Reference, item.Detail);
        }

        PayoutLog.ReportApplied(logger, name, count, applied, kept.Count);
        return new BankReportSummary(report.Id, count, applied, kept.Count, Repeated: false);
    }

    private List<string> OwnAccounts() =>
        [.. options.StatementAccounts.Append(options.OriginatorIban ?? "").Where(account => !string.IsNullOrWhiteSpace(account))];

    private static UnmatchedWord? Unmatched(PayoutWordEffect effect, BankResult said, PayoutWord word) => effect switch
    {
        PayoutWordEffect.Applied or PayoutWordEffect.NothingNew => null,
        PayoutWordEffect.UnknownPayout or PayoutWordEffect.OtherRail =>
            UnmatchedWord.Of(said, UnmatchedReason.UnknownPayout, "There is no such payout."),
        PayoutWordEffect.AmountDiffers => UnmatchedWord.Of(said, UnmatchedReason.AmountDiffers, "The payout is of another amount."),
        PayoutWordEffect.Contradicts => UnmatchedWord.Of(
            said, UnmatchedReason.StatusContradicts, GivenBack),
        PayoutWordEffect.Held or PayoutWordEffect.HeldStill => UnmatchedWord.Of(said, UnmatchedReason.HeldByBank, said.Text ?? "The bank holds the payout."),
    } is { } item ? item with { Payout = word.Payout, Merchant = word.Merchant } : null;

    /// <summary>Applies a result about a whole file to each payout of the file that the report does not name separately.</summary>
    private async Task<(int Applied, int Count, IReadOnlyList<UnmatchedWord> Unmatched)> ApplyAsync(BankFileResult said, CancellationToken ct)
    {
        if (await FileAsync(said.File, ct) is not { } file)
        {
            return (0, 0, [UnmatchedWord.Of(said, UnmatchedReason.UnknownFile, "There is no such file.")]);
        }

        // The bank's bookings leave out the payouts that the bank refused before.
        var (failed, failedAmount) = await FailedAsync(file, ct);
        var withoutFailed = said.Amount is not null;
        if (said.Amount is { } amount && !Is(said, amount, new Money(file.Amount - failedAmount, file.Currency)))
        {
            return (0, 0, [UnmatchedWord.Of(said, UnmatchedReason.AmountDiffers, string.Create(
                CultureInfo.InvariantCulture,
                $"File {file.Name} has {file.Payouts} payouts of {file.Amount} minor units, {failed} of {failedAmount} failed."))]);
        }

        if ((said.Count is { } counted && counted != file.Payouts && !(withoutFailed && counted == file.Payouts - failed))
            || (said.ControlSum is { } sum && new IsoAmount(sum, file.Currency.Code).ToMoney()?.MinorUnits != file.Amount))
        {
            return (0, 0, [UnmatchedWord.Of(
                said, UnmatchedReason.DetailsDoNotAddUp, $"The bank's number or sum of payments is not that of file {file.Name}.")]);
        }

        var (applied, held, count) = (0, 0, 0);
        var unmatched = new List<UnmatchedWord>();
        var (cursor, entry) = (PayoutFiles.Before(file.FirstMerchant), (short)0);
        while (true)
        {
            var words = new List<PayoutWord>(Chunk);
            var read = 0;
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
                    read++;
                    (cursor, entry) = (reader.GetGuid(0), reader.GetInt16(2));
                    var payout = new PayoutId(reader.GetGuid(1));
                    if (!said.Except.Contains(payout) && !(withoutFailed && reader.GetString(3) == DbText.Of(PayoutStatus.Failed)))
                    {
                        words.Add(new PayoutWord(new MerchantId(cursor), payout, said.Said, said.Code, said.Text) { Held = said.Held });
                    }
                }
            }

            if (read == 0)
            {
                break;
            }

            var effects = await ApplyAsync(words, ct);
            applied += effects.Count(e => e is PayoutWordEffect.Applied or PayoutWordEffect.Held);
            held += effects.Count(e => e is PayoutWordEffect.Held or PayoutWordEffect.HeldStill);
            unmatched.AddRange(words.Where((_, i) => effects[i] == PayoutWordEffect.Contradicts).Select(word =>
                UnmatchedWord.Of(said, UnmatchedReason.StatusContradicts, GivenBack) with { Payout = word.Payout, Merchant = word.Merchant }));
            count += words.Count;
        }

        if (said.Held)
        {
            if (held > 0)
            {
                unmatched.Add(UnmatchedWord.Of(said, UnmatchedReason.HeldByBank, said.Text ?? "The bank holds the file."));
            }

            return (applied, count, unmatched);
        }

        await UnmatchedBankItems.EndHoldAsync(dataSource, said.File, time.GetUtcNow(), ct);
        return (applied, count, unmatched);
    }

    private static bool Is(BankFileResult said, Money amount, Money expected) =>
        amount.Currency == expected.Currency
        && (amount == expected
            || amount.MinorUnits - (said.Said == PayoutStatus.Returned ? -said.Charges : said.Charges) == expected.MinorUnits);

    private async Task<IReadOnlyList<PayoutWordEffect>> ApplyAsync(List<PayoutWord> words, CancellationToken ct) =>
        words.Count == 0
            ? []
            : await CommitAsync((connection, transaction) => results.ApplyAsync(connection, transaction, words, time.GetUtcNow(), ct), ct);

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
                // The transaction conflicted with another one and was rolled back. Try again.
            }
        }
    }

    private async Task<(int Count, long Amount)> FailedAsync(PayoutFile file, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(PayoutFileSql.Failed);
        command.Parameters.Add(new() { Value = file.Run.Value });
        command.Parameters.Add(new() { Value = file.FirstMerchant });
        command.Parameters.Add(new() { Value = file.LastMerchant });
        await using var reader = await command.ExecuteReaderAsync(ct);
        await reader.ReadAsync(ct);
        return ((int)reader.GetInt64(0), reader.GetInt64(1));
    }

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
        return await reader.ReadAsync(ct)
            ? new BankReportSummary(reader.GetString(0), reader.GetInt32(1), reader.GetInt32(2), reader.GetInt32(3), Repeated: true)
            : null;
    }

    /// <returns>The items that this call inserted. Empty if another process kept the same report first.</returns>
    private async Task<IReadOnlyList<UnmatchedBankItemResource>> KeepAsync(
        byte[] hash, string name, string id, int count, int applied, List<UnmatchedWord> unmatched, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using var keep = new NpgsqlCommand(PayoutFileSql.KeepReport, connection, transaction);
        keep.Parameters.Add(new() { Value = hash });
        keep.Parameters.Add(new() { Value = name });
        keep.Parameters.Add(new() { Value = id });
        keep.Parameters.Add(new() { Value = count });
        keep.Parameters.Add(new() { Value = applied });
        keep.Parameters.Add(new() { Value = now });
        if (await keep.ExecuteNonQueryAsync(ct) == 0)
        {
            return [];
        }

        var items = await UnmatchedBankItems.KeepAsync(connection, transaction, hash, name, id, unmatched, now, ct);
        if (items.Count > 0)
        {
            await using var number = new NpgsqlCommand(PayoutFileSql.CountUnmatched, connection, transaction);
            number.Parameters.Add(new() { Value = hash });
            number.Parameters.Add(new() { Value = items.Count });
            await number.ExecuteNonQueryAsync(ct);
        }

        await transaction.CommitAsync(ct);
        return items;
    }
}
