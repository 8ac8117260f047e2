namespace Payments.Domain.Payouts;

public enum PayoutStatus
{
    /// <summary>Created, the money set aside, not yet with the bank. Only now can it be canceled.</summary>
    Pending,

    /// <summary>The bank has taken it.</summary>
    InTransit,

    /// <summary>The bank says that the money arrived. It can still come back.</summary>
    Paid,

    /// <summary>It never arrived: the money is back on the merchant's balance.</summary>
    Failed,

    /// <summary>It arrived, or seemed to, and was sent back, also days later: the money is back on the merchant's balance.</summary>
    Returned,

    /// <summary>Called off before the bank had it.</summary>
    Canceled,
}

public static class PayoutTransitions
{
    /// <summary>
    /// Which states follow which. A bank's word can arrive out of order, so a payout may be paid, or come back, before anyone said that it
    /// was under way. Money that came back stays back: those states allow nothing, and a later payout pays it anew.
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
    /// Whether a bank that reports this against a payout in that state moved money that we gave back, or knows a payout that never went out. Anything else
    /// that <see cref="Outcome"/> does not allow is a repeat or was overtaken.
    /// </summary>
    public static bool Contradicts(PayoutStatus from, PayoutStatus said) => from switch
    {
        PayoutStatus.Failed => said == PayoutStatus.Paid,
        PayoutStatus.Canceled => said != PayoutStatus.Canceled,
        PayoutStatus.Pending or PayoutStatus.InTransit or PayoutStatus.Paid or PayoutStatus.Returned => false,
    };

    /// <summary>
    /// What a bank's word means for a payout in a state. A bank that fails a payout after it said paid has returned it; a word that repeats
    /// or that is overtaken means nothing new (null).
    /// </summary>
    public static PayoutStatus? Outcome(PayoutStatus from, PayoutStatus said)
    {
        var to = from == PayoutStatus.Paid && said == PayoutStatus.Failed ? PayoutStatus.Returned : said;
        return Allows(from, to) ? to : null;
    }
}
