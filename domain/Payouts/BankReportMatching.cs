using System.Globalization;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Payouts.BankFiles;

namespace Payments.Domain.Payouts;

/// <summary>The results of a report, matched with our payouts.</summary>
/// <param name="Unmatched">Results that cannot be applied. Results about other companies' payments are left out.</param>
internal sealed record MatchedReport(
    List<(BankResult Result, PayoutWord Word)> Words,
    List<(MerchantId Merchant, PayoutId Payout, BankCorrection Correction)> Corrections,
    List<UnmatchedWord> Unmatched)
{
    /// <summary>The number of results about single payments of ours. Results about a whole file are not counted.</summary>
    public int Count { get; } = Words.Count + Corrections.Count + Unmatched.Count(word => word.File is null);
}

/// <summary>
/// Finds the payout that each result is about: by our reference, or by the trace number and identification of a NACHA entry.
/// </summary>
internal sealed class BankReportMatching(NpgsqlDataSource dataSource, PayoutsOptions options)
{
    private const string NoSuchPayout = "There is no such payout.";

    private const string NamesFileElsewhere = "The report names the file outside of the fields for references.";

    private const string NoSuchEntry = "No payout has this trace number and identification.";

    public async Task<MatchedReport> MatchAsync(BankReport report, CancellationToken ct)
    {
        var payouts = await PayoutsAsync(
            [
                .. report.Results.Select(r => r.Payout)
                    .Concat(report.Unmatched.Select(u => u.Payout))
                    .OfType<PayoutId>().Select(payout => payout.Value).Distinct(),
            ],
            ct);
        var traces = await TracesAsync(
            [
                .. report.Results.Where(r => r.Payout is null).Select(r => r.OriginalTrace)
                    .Concat(report.Corrections.Select(c => c.OriginalTrace))
                    .Concat(report.Unmatched.Select(u => u.OriginalTrace))
                    .Select(TraceOf).Distinct(),
            ],
            ct);
        var sums = Sums(report.Results, payouts);
        var words = new List<(BankResult, PayoutWord)>(report.Results.Count);
        var corrections = new List<(MerchantId, PayoutId, BankCorrection)>(report.Corrections.Count);
        var unmatched = new List<UnmatchedWord>();
        foreach (var word in report.Unmatched)
        {
            if (Traced(traces, word.OriginalTrace, word.IndividualId) is var (merchant, payout))
            {
                unmatched.Add(word with { Payout = payout, Merchant = merchant });
            }
            else if (word.Payout is { } named)
            {
                unmatched.Add(payouts.TryGetValue(named.Value, out var found) ? word with { Merchant = found.Merchant } : word);
            }
            else
            {
                AddOurs(word);
            }
        }

        foreach (var result in report.Results)
        {
            if (result.Payout is { } id)
            {
                if (!payouts.TryGetValue(id.Value, out var payout))
                {
                    unmatched.Add(UnmatchedWord.Of(result, UnmatchedReason.UnknownPayout, NoSuchPayout));
                }
                else if (result.Sum is { } sum && !sums.Contains(sum))
                {
                    unmatched.Add(UnmatchedWord.Of(
                        result, UnmatchedReason.AmountMissing, "The entry names no amounts, and its payouts do not add up to it.") with
                    {
                        Merchant = payout.Merchant,
                    });
                }
                else
                {
                    words.Add((result, Word(result, payout.Merchant, id, AmountOf(result, payout.Amount))));
                }
            }
            else if (Traced(traces, result.OriginalTrace, result.IndividualId) is var (merchant, traced))
            {
                words.Add((result, Word(result, merchant, traced, result.Amount)));
            }
            else
            {
                AddOurs(UnmatchedWord.Of(result, UnmatchedReason.UnknownPayout, NoSuchEntry));
            }
        }

        foreach (var correction in report.Corrections)
        {
            if (Traced(traces, correction.OriginalTrace, correction.IndividualId) is var (merchant, payout))
            {
                corrections.Add((merchant, payout, correction));
            }
            else
            {
                AddOurs(UnmatchedWord.Of(correction, UnmatchedReason.UnknownPayout, NoSuchEntry));
            }
        }

        foreach (var file in await FilesAsync(report.NamedElsewhere, ct))
        {
            unmatched.Add(new UnmatchedWord(UnmatchedReason.NamedElsewhere, file.ToString("N"), NamesFileElsewhere) { File = file });
        }

        return new MatchedReport(words, corrections, unmatched);

        void AddOurs(UnmatchedWord word)
        {
            if (IsOurs(word.Company, word.OriginalTrace))
            {
                unmatched.Add(word);
            }
        }
    }

    private static PayoutWord Word(BankResult result, MerchantId merchant, PayoutId payout, Money? amount) =>
        new(merchant, payout, result.Said, result.Code, result.Text, Amount: amount) { Held = result.Held };

    // A bank may send the returns of several companies in one file. A result that matches a payout is ours, whatever company its batch
    // names: our company number may have changed. A result without a match is ours if its batch names our company, or its trace number
    // begins with our bank's number. If it names no company, or one of the two settings is missing, it counts as ours, and an operator
    // decides.
    private bool IsOurs(string? company, string? trace) =>
        company is null
        || options.NachaCompanyId is not { } ours
        || options.NachaOdfi is not { } odfi
        || string.Equals(company.Trim(), ours.Trim(), StringComparison.OrdinalIgnoreCase)
        || trace?.StartsWith(odfi, StringComparison.Ordinal) == true;

    // Trace numbers start over, so several payouts may share one. The identification in the entry tells which payout it is.
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

    // The bank deducts its charges from what it gives back, and adds them to what it pays. So charges may explain the difference between
    // the booked amount and the payout.
    private static Money? AmountOf(BankResult result, Money expected) =>
        result.Amount is { } said && said.Currency == expected.Currency
        && said.MinorUnits + (result.Said == PayoutStatus.Returned ? result.Charges : -result.Charges) == expected.MinorUnits
            ? expected
            : result.Amount;

    private static HashSet<BankSum> Sums(IReadOnlyList<BankResult> said, Dictionary<Guid, (MerchantId Merchant, Money Amount)> payouts) =>
    [
        .. said.Where(r => r.Sum is not null).GroupBy(r => r.Sum!).Where(entry =>
            entry.Count() == entry.Key.Count
            && entry.All(r =>
                payouts.TryGetValue(r.Payout!.Value.Value, out var payout) && payout.Amount.Currency == entry.Key.Total.Currency)
            && entry.Sum(r => payouts[r.Payout!.Value.Value].Amount.MinorUnits) == entry.Key.Total.MinorUnits).Select(entry => entry.Key),
    ];

    private async Task<Dictionary<Guid, (MerchantId Merchant, Money Amount)>> PayoutsAsync(Guid[] payouts, CancellationToken ct)
    {
        var found = new Dictionary<Guid, (MerchantId, Money)>(payouts.Length);
        await using var command = dataSource.CreateCommand(PayoutSql.FindByIds);

        // Bank files move only real money, so the id of a test payout in one matches nothing.
        var live = payouts.Where(payout => new PayoutId(payout).Bucket < MerchantId.LiveBuckets).ToArray();
        command.Parameters.Add(new() { Value = live, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Uuid });
        command.Parameters.Add(new()
        {
            Value = Array.ConvertAll(live, payout => new PayoutId(payout).Bucket),
            NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Smallint
        });
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            var amount = new Money(reader.GetInt64(3), Currency.Of(reader.GetString(2)));
            found.Add(reader.GetGuid(1), (new MerchantId(reader.GetGuid(0)), amount));
        }

        return found;
    }

    private async Task<List<Guid>> FilesAsync(IReadOnlyCollection<Guid> named, CancellationToken ct)
    {
        var found = new List<Guid>();
        if (named.Count == 0)
        {
            return found;
        }

        await using var command = dataSource.CreateCommand(PayoutFileSql.Ours);
        command.Parameters.Add(new() { Value = named.ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Uuid });
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            found.Add(reader.GetGuid(0));
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
        trace is { Length: 15 } && int.TryParse(trace.AsSpan(8), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : 0;
}
