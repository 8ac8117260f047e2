namespace Payments.Domain.Payouts;

public enum PayoutStatus
{
    /// <summary>
    /// The payout exists and its money is set aside, but the bank does not have it yet. Only in this status can it be canceled.
    /// </summary>
    Pending,

    /// <summary>The bank has taken it.</summary>
    InTransit,

    /// <summary>The bank says that the money arrived. It can still come back.</summary>
    Paid,

    /// <summary>The money never arrived. It is back on the merchant's balance.</summary>
    Failed,

    /// <summary>
    /// The money arrived, or seemed to, and the receiving bank sent it back, possibly days later. It is back on the merchant's balance.
    /// </summary>
    Returned,

    /// <summary>The payout was canceled before the bank had it.</summary>
    Canceled,
}

public static class PayoutTransitions
{
    /// <summary>
    /// The allowed changes of status. Bank reports can arrive out of order, so a payout may be paid or returned before any report says that
    /// it is in transit. A payout whose money came back allows no further change. A later payout pays that money.
    /// </summary>
    public static bool Allows(PayoutStatus from, PayoutStatus to) => from switch
    {
        PayoutStatus.Pending => to is PayoutStatus.InTransit or PayoutStatus.Paid or PayoutStatus.Failed or PayoutStatus.Returned or PayoutStatus.Canceled,
        PayoutStatus.InTransit => to is PayoutStatus.Paid or PayoutStatus.Failed or PayoutStatus.Returned,
        PayoutStatus.Paid => to is PayoutStatus.Returned,
        PayoutStatus.Failed or PayoutStatus.Returned or PayoutStatus.Canceled => false,
    };

    /// <summary>Whether the money of a payout in this state is back on the merchant's balance.</summary>
    public static bool IsReversed(PayoutStatus status) => status switch
    {
        PayoutStatus.Pending or PayoutStatus.InTransit or PayoutStatus.Paid => false,
        PayoutStatus.Failed or PayoutStatus.Returned or PayoutStatus.Canceled => true,
    };

    /// <summary>
    /// Whether a report contradicts the recorded status: the bank moved money that the platform gave back, or knows a payout that was never
    /// sent. Any other report that <see cref="Outcome"/> does not allow is a repeat, or a later report overtook it.
    /// </summary>
    public static bool Contradicts(PayoutStatus from, PayoutStatus said) => from switch
    {
        PayoutStatus.Failed => said == PayoutStatus.Paid,
        PayoutStatus.Canceled => said != PayoutStatus.Canceled,
        PayoutStatus.Pending or PayoutStatus.InTransit or PayoutStatus.Paid or PayoutStatus.Returned => false,
    };

    /// <summary>
    /// The status that a bank's report gives to a payout. A payout that the bank reports as failed after it reported it as paid is
    /// returned. Null if the report is not allowed, because it repeats, contradicts or comes too late.
    /// </summary>
    public static PayoutStatus? Outcome(PayoutStatus from, PayoutStatus said)
    {
        var to = from == PayoutStatus.Paid && said == PayoutStatus.Failed ? PayoutStatus.Returned : said;
        return Allows(from, to) ? to : null;
    }
}
