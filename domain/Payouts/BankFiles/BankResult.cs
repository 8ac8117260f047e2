namespace Payments.Domain.Payouts.BankFiles;

/// <summary>What a bank says of one payout. It may say so again, late, or out of order.</summary>
/// <param name="Payout">The payout, where the bank repeats our reference.</param>
/// <param name="OriginalTrace">The fifteen digits of our NACHA entry, where the bank repeats only those.</param>
/// <param name="Said">In transit, paid, failed or returned.</param>
/// <param name="Code">The bank's reason, such as <c>AC04</c> or <c>R03</c>.</param>
/// <param name="Amount">What the bank says it is about, when it does; a payout of another amount is a break, not a match.</param>
/// <param name="Company">The company identification of a NACHA batch: whose payment it was.</param>
public sealed record BankResult(
    PayoutId? Payout, string? OriginalTrace, string? IndividualId, PayoutStatus Said, string? Code, string? Text, Money? Amount, string? Company = null);

/// <summary>What a bank says of all payouts of one of our files at once.</summary>
public sealed record BankFileResult(Guid File, PayoutStatus Said, string? Code, string? Text, Money? Amount);

/// <summary>A notification of change: the payout arrived, and the account that it went to has other details from now on.</summary>
/// <param name="Data">The corrected data; the code says which fields it has.</param>
public sealed record BankCorrection(string OriginalTrace, string IndividualId, string Company, string Code, string Data);

/// <summary>A word of a bank that names a payout of ours, or may name one, and cannot be applied. A person has to look.</summary>
/// <param name="Reason">Why it cannot be applied, as a sentence.</param>
public sealed record UnmatchedWord(string Reason, PayoutId? Payout, string? OriginalTrace, string? IndividualId, string? Code, Money? Amount, string? Company)
{
    public string Reference => Payout?.ToString() ?? $"trace {OriginalTrace} {IndividualId}";
}

/// <summary>All that a file from a bank says.</summary>
/// <param name="Foreign">Lines that are about nothing of ours: fees, deposits, other payments.</param>
public sealed record BankReport(string Id, IReadOnlyList<BankResult> Results, IReadOnlyList<BankFileResult> Files, int Foreign)
{
    public IReadOnlyList<BankCorrection> Corrections { get; init; } = [];

    public IReadOnlyList<UnmatchedWord> Unmatched { get; init; } = [];
}
