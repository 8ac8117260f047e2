namespace Payments.Domain.Payouts.BankFiles;

/// <summary>What a bank says of one payout. It may say so again, late, or out of order.</summary>
/// <param name="Payout">The payout, where the bank repeats our reference.</param>
/// <param name="OriginalTrace">The fifteen digits of our NACHA entry, where the bank repeats only those.</param>
/// <param name="Said">In transit, paid, failed or returned.</param>
/// <param name="Code">The bank's reason, such as <c>AC04</c> or <c>R03</c>.</param>
/// <param name="Amount">What the bank says it is about, when it does; a payout of another amount is a break, not a match.</param>
/// <param name="Company">The company identification of a NACHA batch: whose payment it was.</param>
public sealed record BankResult(
    PayoutId? Payout, string? OriginalTrace, string? IndividualId, PayoutStatus Said, string? Code, string? Text, Money? Amount,
    string? Company = null);

/// <summary>What a bank says of all payouts of one of our files at once.</summary>
public sealed record BankFileResult(Guid File, PayoutStatus Said, string? Code, string? Text, Money? Amount);

/// <summary>A notification of change: the payout arrived, and the account that it went to has other details from now on.</summary>
/// <param name="Data">The corrected data; the code says which fields it has.</param>
public sealed record BankCorrection(string OriginalTrace, string IndividualId, string Company, string Code, string Data);

/// <summary>Why something that a bank says was not applied.</summary>
public enum UnmatchedReason
{
    /// <summary>There is no payout with the references that the bank repeats.</summary>
    UnknownPayout,

    /// <summary>The words contradict each other, or nobody here knows what they mean.</summary>
    MeaningUnclear,

    /// <summary>The bank corrects something other than the receiver's account, or its data cannot be used.</summary>
    CorrectionNotApplied,
}

/// <summary>Something a bank says of a payout, a file or an account of ours that cannot be applied: a person has to look.</summary>
/// <param name="Reference">What the bank calls it.</param>
/// <param name="Detail">What is wrong, as a sentence.</param>
public sealed record UnmatchedWord(UnmatchedReason Reason, string Reference, string Detail)
{
    public PayoutId? Payout { get; init; }

    public MerchantId? Merchant { get; init; }

    public string? OriginalTrace { get; init; }

    public string? IndividualId { get; init; }

    public string? Company { get; init; }

    public string? Code { get; init; }

    public string? Text { get; init; }

    public Money? Amount { get; init; }
}

/// <summary>All that a file from a bank says.</summary>
/// <param name="Foreign">Lines that are about nothing of ours: fees, deposits, other payments.</param>
public sealed record BankReport(string Id, IReadOnlyList<BankResult> Results, IReadOnlyList<BankFileResult> Files, int Foreign)
{
    public IReadOnlyList<BankCorrection> Corrections { get; init; } = [];

    public IReadOnlyList<UnmatchedWord> Unmatched { get; init; } = [];
}
