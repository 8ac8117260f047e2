namespace Payments.Domain.Payouts.BankFiles;

/// <summary>A bank's result for one payout. Results may repeat, come late, or come out of order.</summary>
/// <param name="Payout">The payout, if the bank repeats our reference.</param>
/// <param name="OriginalTrace">The fifteen digits of our NACHA entry, if the bank repeats only those.</param>
/// <param name="Said">In transit, paid, failed or returned.</param>
/// <param name="Code">The bank's reason, such as <c>AC04</c> or <c>R03</c>.</param>
/// <param name="Amount">The amount that the bank names; null if it names none. A payout with another amount does not match.</param>
/// <param name="Company">The company identification of the NACHA batch. It tells whose payment it was.</param>
public sealed record BankResult(
    PayoutId? Payout, string? OriginalTrace, string? IndividualId, PayoutStatus Said, string? Code, string? Text, Money? Amount,
    string? Company = null)
{
    /// <summary>The bank's charges that may be included in <see cref="Amount"/>, in minor units of its currency.</summary>
    public long Charges { get; init; }

    /// <summary>The bank holds the payment until a person decides. <see cref="Code"/> says why.</summary>
    public bool Held { get; init; }

    /// <summary>The sum of an entry that names several payouts without their amounts. The payouts' own amounts must add up to it.</summary>
    public BankSum? Sum { get; init; }
}

/// <summary>One entry that names several payouts without amounts. All of its results share this object.</summary>
public sealed class BankSum(Money total, int count)
{
    public Money Total { get; } = total;

    public int Count { get; } = count;
}

/// <summary>A bank's result for all payouts of one of our files.</summary>
public sealed record BankFileResult(Guid File, PayoutStatus Said, string? Code, string? Text, Money? Amount)
{
    private static readonly IReadOnlySet<PayoutId> None = new HashSet<PayoutId>();

    /// <summary>The bank's charges that may be included in <see cref="Amount"/>, in minor units of its currency.</summary>
    public long Charges { get; init; }

    /// <summary>The bank holds the payment until a person decides. <see cref="Code"/> says why.</summary>
    public bool Held { get; init; }

    /// <summary>The number of payments that the bank counts in our file; null if it gives none.</summary>
    public long? Count { get; init; }

    /// <summary>The sum that the bank gives for our file, in major units; null if it gives none.</summary>
    public decimal? ControlSum { get; init; }

    /// <summary>Payouts for which the report has a result of their own. That result counts instead.</summary>
    public IReadOnlySet<PayoutId> Except { get; init; } = None;
}

/// <summary>A notification of change: the payout arrived, and its account has other details from now on.</summary>
/// <param name="Data">The corrected data. The code says which fields it has.</param>
public sealed record BankCorrection(string OriginalTrace, string IndividualId, string Company, string Code, string Data);

/// <summary>Why a bank's result was not applied.</summary>
public enum UnmatchedReason
{
    /// <summary>The whole file cannot be trusted or read. Nothing of it was applied.</summary>
    FileRejected,

    /// <summary>No payout has the references that the bank repeats.</summary>
    UnknownPayout,

    /// <summary>The reference has the form of ours, but there is no such file.</summary>
    UnknownFile,

    /// <summary>The payout or the file has another amount.</summary>
    AmountDiffers,

    /// <summary>The bank names neither an amount nor a sum to check it by.</summary>
    AmountMissing,

    /// <summary>The parts of an entry do not add up to its count or its sum.</summary>
    DetailsDoNotAddUp,

    /// <summary>The entry is a debit and a reversal. Some banks mean that money came back, others that it left again.</summary>
    ReversalUnclear,

    /// <summary>The result contradicts itself, such as a debit with the reason of a return, or its code or status is unknown.</summary>
    MeaningUnclear,

    /// <summary>The payout failed or was canceled, but the bank says that it moved the money.</summary>
    StatusContradicts,

    /// <summary>One statement books the payout twice in the same direction.</summary>
    BookedTwice,

    /// <summary>The statement is of an account that is not ours.</summary>
    AccountNotOurs,

    /// <summary>The reference stands where none is expected, such as in the remittance text.</summary>
    NamedElsewhere,

    /// <summary>
    /// The bank holds the payout or the file until a person decides: after a verification of payee, or because a confirmation is missing.
    /// </summary>
    HeldByBank,

    /// <summary>The bank corrects something other than the receiver's account, or its data cannot be used.</summary>
    CorrectionNotApplied,
}

/// <summary>A bank's result about a payout, a file or an account of ours that cannot be applied. An operator must decide.</summary>
/// <param name="Reference">The reference that the bank uses.</param>
/// <param name="Detail">What is wrong, as a sentence.</param>
public sealed record UnmatchedWord(UnmatchedReason Reason, string Reference, string Detail)
{
    public PayoutId? Payout { get; init; }

    public MerchantId? Merchant { get; init; }

    public Guid? File { get; init; }

    public PayoutStatus? Said { get; init; }

    public string? Code { get; init; }

    public string? Text { get; init; }

    public Money? Amount { get; init; }

    /// <summary>The fifteen digits of our NACHA entry, if the bank repeats them.</summary>
    public string? OriginalTrace { get; init; }

    public string? IndividualId { get; init; }

    /// <summary>The company identification of the NACHA batch. It tells whose payment it was.</summary>
    public string? Company { get; init; }

    public static UnmatchedWord Of(BankResult result, UnmatchedReason reason, string detail) =>
        new(
            reason,
            result.Payout is { } payout ? EndToEndId.Of(payout) : Nacha.Reference(result.OriginalTrace, result.IndividualId),
            detail)
        {
            Payout = result.Payout,
            Said = result.Said,
            Code = result.Code,
            Text = result.Text,
            Amount = result.Amount,
            OriginalTrace = result.OriginalTrace,
            IndividualId = result.IndividualId,
            Company = result.Company,
        };

    public static UnmatchedWord Of(BankFileResult result, UnmatchedReason reason, string detail) =>
        new(reason, result.File.ToString("N"), detail)
        {
            File = result.File,
            Said = result.Said,
            Code = result.Code,
            Text = result.Text,
            Amount = result.Amount,
        };

    public static UnmatchedWord Of(BankCorrection correction, UnmatchedReason reason, string detail) =>
        new(reason, Nacha.Reference(correction.OriginalTrace, correction.IndividualId), detail)
        {
            Code = correction.Code,
            Text = correction.Data.Trim(),
            OriginalTrace = correction.OriginalTrace,
            IndividualId = correction.IndividualId,
            Company = correction.Company,
        };
}

/// <summary>Everything that a bank's file reports.</summary>
/// <param name="Foreign">The number of lines that are not about our payments: fees, deposits, other payments.</param>
public sealed record BankReport(string Id, IReadOnlyList<BankResult> Results, IReadOnlyList<BankFileResult> Files, int Foreign)
{
    public IReadOnlyList<BankCorrection> Corrections { get; init; } = [];

    /// <summary>Ids in the form of our file ids that stand outside the fields for references. Other companies write such ids too.</summary>
    public IReadOnlyCollection<Guid> NamedElsewhere { get; init; } = [];

    /// <summary>Results that cannot be applied, whatever the database holds.</summary>
    public IReadOnlyList<UnmatchedWord> Unmatched { get; init; } = [];
}
