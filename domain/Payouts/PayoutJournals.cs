using Payments.Domain.Balances;
using Payments.Domain.Ledger;

namespace Payments.Domain.Payouts;

/// <summary>
/// What each step of a payout moves in the ledger and on the merchant's balance. <c>ledger.post_payouts</c> posts the creation. Keys
/// contain the payout's id. So the ledger and the balance's unique key both refuse a step that is taken twice.
/// </summary>
internal static class PayoutJournals
{
    /// <summary>The journal of a change of status; null if no money moves.</summary>
    public static Journal? Changed(Payout payout, PayoutStatus to, DateTimeOffset now)
    {
        var currency = payout.Amount.Currency;
        var inTransit = ChartOfAccounts.MerchantInTransit(payout.Merchant, currency);
        var available = ChartOfAccounts.MerchantAvailable(payout.Merchant, currency);
        var bank = ChartOfAccounts.BankSettlement(currency);
        return to switch
        {
            PayoutStatus.Pending or PayoutStatus.InTransit => null,
            PayoutStatus.Paid => Move("paid", inTransit, bank),
            PayoutStatus.Failed => Move("failed", inTransit, available),
            PayoutStatus.Canceled => Move("canceled", inTransit, available),

            // A paid payout comes back from the bank's account. A payout that the bank never reported as paid is still in transit.
            PayoutStatus.Returned => Move("returned", payout.Status == PayoutStatus.Paid ? bank : inTransit, available),
        };

        Journal Move(string step, AccountRef from, AccountRef target) =>
            new(payout.Merchant, $"payout/{payout.Id}/{step}", $"payout_{step}", now, [new Transfer(from, target, payout.Amount, "payout")]);
    }

    /// <summary>
    /// The rows that complete a payout's batch beside the payout itself: the reserve, and the amount carried over to
    /// <paramref name="next"/>. With them, the rows of <paramref name="batch"/> sum to the payout.
    /// </summary>
    public static IEnumerable<BalanceTransaction> RestRows(
        MerchantId merchant, PayoutId payout, PayoutBatchId batch, PayoutBatchId next, Currency currency, PayoutDecision decision, DateOnly date, int reserveDays, DateTimeOffset now)
    {
        if (decision.Reserved > 0)
        {
            yield return Row(BalanceTransactionType.Reserve, "reserve", -decision.Reserved, date, now, batch);
            yield return Row(BalanceTransactionType.ReserveRelease, "reserve_release", decision.Reserved, date.AddDays(reserveDays), null, null);
        }

        if (decision.CarriedOver != 0)
        {
            yield return Row(BalanceTransactionType.Adjustment, "carried_out", -decision.CarriedOver, date, now, batch);
            yield return Row(BalanceTransactionType.Adjustment, "carried_over", decision.CarriedOver, date, now, next);
        }

        BalanceTransaction Row(BalanceTransactionType type, string step, long amount, DateOnly availableOn, DateTimeOffset? releasedAt, PayoutBatchId? within) => new(
            PrefixedId.New<BalanceTransactionId>(now), merchant, type, payout.ToString(), $"payout/{payout}/{step}",
            new Money(amount, currency), Money.Zero(currency), availableOn, releasedAt, within, now);
    }

    /// <summary>Gives the money back to the balance. It is available at once and in no payout, so the next payout takes it.</summary>
    public static BalanceTransaction ReversedRow(Payout payout, PayoutStatus to, DateTimeOffset now) => new(
        PrefixedId.New<BalanceTransactionId>(now), payout.Merchant, BalanceTransactionType.PayoutFailure, payout.Id.ToString(), $"payout/{payout.Id}/{Database.DbText.Of(to)}",
        payout.Amount, Money.Zero(payout.Amount.Currency), Availability.DueDate(now, payout.Amount.Currency), now, null, now);
}
