namespace Payments.Domain.Balances;

/// <summary>Why a merchant's money changed.</summary>
public enum BalanceTransactionType
{
    Charge,
    Refund,
    RefundFailure,
    Dispute,
    DisputeFee,
    DisputeReversal,
    DisputeFeeRefund,
    Payout,
    PayoutFailure,
    Adjustment,
    Reserve,
    ReserveRelease,
}

/// <summary>
/// One change of a merchant's money, written in the transaction of the journal that moves it.
/// <see cref="Net"/> = <see cref="Amount"/> - <see cref="Fee"/>, in minor units, positive in the merchant's favour. It counts towards the pending
/// balance until it is released on <see cref="AvailableOn"/>, then towards the available balance, until a payout takes it.
/// </summary>
/// <param name="SourceId">The object it stems from, as text: <c>ch_...</c>, <c>re_...</c>, <c>dp_...</c>, <c>po_...</c>.</param>
/// <param name="JournalKey">The external key of the ledger's journal. A second transaction with the same key is refused.</param>
/// <param name="AvailableOn">The UTC date from which it can be paid out.</param>
/// <param name="Batch">What it is paid with; null until it is collected, which happens when it is released or when the next payout is made.</param>
/// <param name="ReleasedAt">Set from the start when the journal moved the available balance, not the pending one.</param>
public sealed record BalanceTransaction(
    BalanceTransactionId Id,
    MerchantId Merchant,
    BalanceTransactionType Type,
    string SourceId,
    string JournalKey,
    Money Amount,
    Money Fee,
    DateOnly AvailableOn,
    DateTimeOffset? ReleasedAt,
    PayoutBatchId? Batch,
    DateTimeOffset CreatedAt)
{
    public Money Net => Amount - Fee;
}
