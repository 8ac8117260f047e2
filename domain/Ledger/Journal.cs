namespace Payments.Domain.Ledger;

/// <summary>An account by its name in the chart and its currency. <see cref="ChartOfAccounts"/> makes them.</summary>
public sealed record AccountRef(string Name, Currency Currency)
{
    public override string ToString() => $"{Name} {Currency}";
}

/// <summary>Moves one positive amount from the debited account to the credited one. Both accounts have the amount's currency.</summary>
/// <param name="Code">The reason, for people and reports: <c>charge</c>, <c>fee</c>.</param>
public sealed record Transfer(AccountRef Debit, AccountRef Credit, Money Amount, string Code)
{
    /// <summary>Posts the transfer even if it breaks an account's limit. A dispute may take back money that is no longer there.</summary>
    public bool PastLimit { get; init; }
}

/// <summary>Transfers that happen together or not at all.</summary>
/// <param name="Merchant">The merchant that the journal belongs to. Its bucket chooses the stripes of the platform's accounts.</param>
/// <param name="ExternalKey">Names the cause, and contains the id of the object. A second journal with the key is not posted.</param>
/// <param name="Kind">What happened: <c>charge_captured</c>.</param>
/// <param name="EffectiveAt">When it happened for the business, UTC. The time of recording is stored beside it.</param>
public sealed record Journal(
    MerchantId Merchant, string ExternalKey, string Kind, DateTimeOffset EffectiveAt, IReadOnlyList<Transfer> Transfers);

/// <summary>The result of posting a journal.</summary>
public enum PostingStatus
{
    /// <summary>The journal was posted.</summary>
    Posted,

    /// <summary>The same journal was posted before: same key, kind, merchant and transfers. Nothing was done.</summary>
    Exists,

    /// <summary>Another journal with the same external key was posted before. Nothing was done.</summary>
    ExistsWithDifferentContent,

    /// <summary>An account would fall below its limit. Nothing was done.</summary>
    InsufficientFunds,

    /// <summary>An account is not open.</summary>
    AccountMissing,

    /// <summary>The two accounts of a transfer are in different currencies.</summary>
    CurrencyMismatch,

    /// <summary>
    /// An account belongs to another bucket than the journal's merchant. One journal cannot move the money of two shards.
    /// </summary>
    BucketMismatch,

    /// <summary>An account takes no more transfers.</summary>
    AccountClosed,
}

/// <param name="JournalId">The id of the journal in the ledger; null if the ledger has none under this key.</param>
/// <param name="Detail">What happened, for people and logs; null when it was posted.</param>
public sealed record PostingResult(PostingStatus Status, long? JournalId, string? Detail)
{
    /// <summary>Whether the ledger holds the journal as requested, from this call or an earlier one.</summary>
    public bool IsInLedger => Status is PostingStatus.Posted or PostingStatus.Exists;
}
