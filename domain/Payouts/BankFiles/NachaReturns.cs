using System.Globalization;

namespace Payments.Domain.Payouts.BankFiles;

/// <summary>
/// Turns the entries of a NACHA return file into results: returns, account corrections, and entries that an operator must read.
/// </summary>
internal static class NachaReturns
{
    public static BankReport Of(NachaFile file)
    {
        var results = new List<BankResult>();
        var corrections = new List<BankCorrection>();
        var unmatched = new List<UnmatchedWord>();
        var foreign = 0;
        foreach (var entry in file.Entries)
        {
            switch (entry.Word)
            {
                case null when !entry.IsReturnCode:
                    // A payment to us or to others. It is not about an entry that we sent.
                    foreign++;
                    break;
                case null:
                    unmatched.Add(Unmatched(entry, "The entry has the transaction code of a return, but no return follows it."));
                    break;
                case { Code: ['C', ..] } when entry.Amount != 0:
                    // A damaged code must not turn a return into a correction.
                    unmatched.Add(Unmatched(entry, "A notification of change moves no money, but the entry has an amount."));
                    break;
                case { Code: ['C', ..] } word:
                    corrections.Add(new BankCorrection(word.OriginalTrace, entry.IndividualId, entry.Company, word.Code, word.Data));
                    break;
                case { Code: ['R', ..] } word when Refusal(entry, word) is { } reason:
                    unmatched.Add(Unmatched(entry, reason));
                    break;
                case { Code: ['R', ..] } word:
                    var text = word.Data.Trim() is { Length: > 0 } given ? given : null;
                    results.Add(new BankResult(
                        null, word.OriginalTrace, entry.IndividualId, PayoutStatus.Returned, word.Code, text,
                        new Money(entry.Amount, Currency.Usd), entry.Company));
                    break;
                case { } word:
                    unmatched.Add(Unmatched(entry, $"'{word.Code}' is neither the code of a return nor that of a notification of change."));
                    break;
            }
        }

        return new BankReport($"{file.Origin}-{file.Created}-{file.Modifier}", results, [], foreign)
        {
            Corrections = corrections,
            Unmatched = unmatched,
        };
    }

    private static string? Refusal(NachaEntry entry, NachaWord word) =>
        !int.TryParse(word.Code.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? $"'{word.Code}' is no code of a return."
        : number is >= 61 and <= 77 ? $"{word.Code} disputes an earlier return between the banks."
        : entry.IsDebit ? "A debit was returned, and payouts are credits."
        : null;

    private static UnmatchedWord Unmatched(NachaEntry entry, string detail) =>
        new(UnmatchedReason.MeaningUnclear, Nacha.Reference(entry.Word?.OriginalTrace, entry.IndividualId), detail)
        {
            OriginalTrace = entry.Word?.OriginalTrace,
            IndividualId = entry.IndividualId,
            Company = entry.Company,
            Code = entry.Word?.Code,
            Text = entry.Word?.Data.Trim(),
            Amount = new Money(entry.Amount, Currency.Usd),
        };
}
