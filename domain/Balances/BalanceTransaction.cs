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
/// <param name="AvailableOn">The date, in the zone of the currency's payment system, from which it can be paid out.</param>
/// <param name="Batch">
/// The batch that holds it. Null until it is released, or until the next payout is made if it was available from the start.
/// </param>
/// <param name="ReleasedAt">
/// When it was released. Set from the start if the journal moved the available balance, not the pending one.
/// </param>
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
