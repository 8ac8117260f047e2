namespace Payments.Domain.Refunds;

/// <summary>
/// The allowed transitions of a refund. A succeeded refund can still fail, because the customer's bank may send the money back.
/// </summary>
public static class RefundTransitions
{
    public static bool Allows(RefundStatus from, RefundStatus to) => from switch
    {
        RefundStatus.Pending => to is RefundStatus.Processing or RefundStatus.Succeeded or RefundStatus.Failed,
        RefundStatus.Processing => to is RefundStatus.Pending or RefundStatus.Succeeded or RefundStatus.Failed,
        RefundStatus.Succeeded => to is RefundStatus.Failed,
        RefundStatus.Failed => false,
    };
}
