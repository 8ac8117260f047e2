namespace Payments.Domain.Ledger;

/// <summary>An account by its name in the chart and its currency. <see cref="ChartOfAccounts"/> makes them.</summary>
public sealed record AccountRef(string Name, Currency Currency)
{
    public override string ToString() => $"{Name} {Currency}";
}

/// <summary>Moves one positive amount from the debited account to the credited one; both are in the amount's currency.</summary>
/// <param name="Code">Why, for people and reports: <c>charge</c>, <c>fee</c>.</param>
public sealed record Transfer(AccountRef Debit, AccountRef Credit, Money Amount, string Code)
{
    /// <summary>The transfer happens even where an account's limit would refuse it: a dispute takes back what is no longer there.</summary>
    public bool PastLimit { get; init; }
}

/// <summary>Transfers that happen together or not at all.</summary>
/// <param name="Merchant">Whose business it is: its bucket chooses the stripes of the platform's accounts.</param>
/// <param name="ExternalKey">Names the cause. Posting the key again does nothing, so it must name one cause, and contain the id of its object.</param>
/// <param name="Kind">What happened: <c>charge_captured</c>.</param>
/// <param name="EffectiveAt">When it happened in the world, UTC; when it was recorded is kept beside it.</param>
public sealed record Journal(
    MerchantId Merchant, string ExternalKey, string Kind, DateTimeOffset EffectiveAt, IReadOnlyList<Transfer> Transfers);

/// <summary>What became of a journal.</summary>
public enum PostingStatus
{
    /// <summary>It is in the ledger, since now.</summary>
    Posted,

    /// <summary>It was in the ledger already, with the same kind, merchant and transfers. Nothing was done.</summary>
    Exists,

    /// <summary>The external key is taken by a journal that says something else. Nothing was done.</summary>
    ExistsWithDifferentContent,

    /// <summary>An account would fall below its limit. Nothing was done.</summary>
    InsufficientFunds,

    /// <summary>An account is not open.</summary>
    AccountMissing,

    /// <summary>The two accounts of a transfer are in different currencies.</summary>
    CurrencyMismatch,

    /// <summary>An account belongs to another bucket than the journal's merchant: the money of two shards cannot move in one journal.</summary>
    BucketMismatch,

    /// <summary>An account takes no more transfers.</summary>
    AccountClosed,
}

/// <param name="JournalId">The journal in the ledger, where there is one under this key.</param>
/// <param name="Detail">What happened, for people and logs; null when it was posted.</param>
public sealed record PostingResult(PostingStatus Status, long? JournalId, string? Detail)
{
    /// <summary>The journal stands in the ledger as asked, now or since before.</summary>
    public bool IsInLedger => Status is PostingStatus.Posted or PostingStatus.Exists;
}
