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
    string? Company = null)
{
    /// <summary>The bank's charges that can stand inside <see cref="Amount"/>, in minor units of its currency.</summary>
    public long Charges { get; init; }

    /// <summary>The bank waits for somebody before it goes on, <see cref="Code"/> says why.</summary>
    public bool Held { get; init; }

    /// <summary>The sum of an entry that names several payouts without their amounts; their own amounts must add up to it.</summary>
    public BankSum? Sum { get; init; }
}

/// <summary>One entry that names several payouts without amounts. Each of its results has the same object.</summary>
public sealed class BankSum(Money total, int count)
{
    public Money Total { get; } = total;

    public int Count { get; } = count;
}

/// <summary>What a bank says of all payouts of one of our files at once.</summary>
public sealed record BankFileResult(Guid File, PayoutStatus Said, string? Code, string? Text, Money? Amount)
{
    private static readonly IReadOnlySet<PayoutId> None = new HashSet<PayoutId>();

    /// <summary>The bank's charges that can stand inside <see cref="Amount"/>, in minor units of its currency.</summary>
    public long Charges { get; init; }

    /// <summary>The bank waits for somebody before it goes on, <see cref="Code"/> says why.</summary>
    public bool Held { get; init; }

    /// <summary>How many payments the bank says our file has, where it does.</summary>
    public long? Count { get; init; }

    /// <summary>The sum that the bank says our file has, where it does, in major units.</summary>
    public decimal? ControlSum { get; init; }

    /// <summary>Payouts of which the report says something of their own: that counts.</summary>
    public IReadOnlySet<PayoutId> Except { get; init; } = None;
}

/// <summary>A notification of change: the payout arrived, and the account that it went to has other details from now on.</summary>
/// <param name="Data">The corrected data; the code says which fields it has.</param>
public sealed record BankCorrection(string OriginalTrace, string IndividualId, string Company, string Code, string Data);

/// <summary>Why something that a bank says was not applied.</summary>
public enum UnmatchedReason
{
    /// <summary>The whole file cannot be trusted or read. Nothing of it was applied.</summary>
    FileRejected,

    /// <summary>There is no payout with the references that the bank repeats.</summary>
    UnknownPayout,

    /// <summary>The reference has the form of ours, and there is no such file.</summary>
    UnknownFile,

    /// <summary>The payout, or the file, is of another amount.</summary>
    AmountDiffers,

    /// <summary>The bank names no amount, and no sum by which it could be checked.</summary>
    AmountMissing,

    /// <summary>The parts of an entry are not the entry: its count or its sum is another.</summary>
    DetailsDoNotAddUp,

    /// <summary>Banks write a debit that is a reversal both for money that came back and for money that left again.</summary>
    ReversalUnclear,

    /// <summary>The words contradict each other, such as a debit with the reason of a return, or their code or status is none that we
    /// know.</summary>
    MeaningUnclear,

    /// <summary>The payout is failed or canceled, and the bank says that it moved the money.</summary>
    StatusContradicts,

    /// <summary>One statement books the payout twice in the same direction.</summary>
    BookedTwice,

    /// <summary>The statement is of an account that is not ours.</summary>
    AccountNotOurs,

    /// <summary>The reference stands where none is expected, such as in the remittance text.</summary>
    NamedElsewhere,

    /// <summary>The bank holds the payout, or the file, until somebody decides: verification of payee, or a missing confirmation.</summary>
    HeldByBank,

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

    public Guid? File { get; init; }

    public PayoutStatus? Said { get; init; }

    public string? Code { get; init; }

    public string? Text { get; init; }

    public Money? Amount { get; init; }

    /// <summary>The fifteen digits of our NACHA entry, where the bank repeats them.</summary>
    public string? OriginalTrace { get; init; }

    public string? IndividualId { get; init; }

    /// <summary>The company identification of a NACHA batch: whose payment it was.</summary>
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

/// <summary>All that a file from a bank says.</summary>
/// <param name="Foreign">Lines that are about nothing of ours: fees, deposits, other payments.</param>
public sealed record BankReport(string Id, IReadOnlyList<BankResult> Results, IReadOnlyList<BankFileResult> Files, int Foreign)
{
    public IReadOnlyList<BankCorrection> Corrections { get; init; } = [];

    /// <summary>What stands outside of the fields for references and has the form of our files' ids. Others write such ids too.</summary>
    public IReadOnlyCollection<Guid> NamedElsewhere { get; init; } = [];

    /// <summary>What cannot be applied, whatever the database says.</summary>
    public IReadOnlyList<UnmatchedWord> Unmatched { get; init; } = [];
}
