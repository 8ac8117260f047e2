using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Providers;

/// <summary>A provider reports in an event how an attempt of ours stands.</summary>
/// <param name="Provider">The provider that reported it. The report counts only for attempts at this provider.</param>
/// <param name="Reference">The reference of ours that the event carries.</param>
public sealed record PaymentReported(string Provider, AttemptReference Reference, PaymentAnswer Answer) : INeutralEvent
{
    /// <summary>
    /// The operation that the event is about, if it may differ from the operation of the reference. An operation that a person made in a
    /// dashboard carries the reference of the payment.
    /// </summary>
    public ReportedOperation? Told { get; init; }

    /// <summary>
    /// The amount that the provider has captured of the payment in total, here or elsewhere. Null if the event does not say.
    /// </summary>
    public ReportedCapture? Captured { get; init; }
}

/// <summary>A provider reports a capture, cancel or refund without a reference of ours: it was made elsewhere.</summary>
public sealed record OperationReported(ReportedOperation Told, PaymentAnswer Answer) : INeutralEvent;

/// <summary>
/// A provider reports how much of a payment was refunded in total. Each refund also has its own event, so this one only reveals a missing
/// event.
/// </summary>
/// <param name="Payment">The provider's id of the payment.</param>
public sealed record RefundedInAll(string Provider, string Payment, Money Amount) : INeutralEvent;

/// <param name="Payment">The provider's id of the payment. Null if the event does not name it.</param>
/// <param name="Amount">Null means everything that is left.</param>
public sealed record ReportedOperation(string Provider, PaymentOperation Operation, string? Payment, Money? Amount)
{
    /// <summary>
    /// The operation had succeeded, and the provider now reports that it failed. The event may have another id than the operation.
    /// </summary>
    public bool TakesBack { get; init; }
}

/// <param name="Charge">The reference of the payment.</param>
/// <param name="IsFinal">Nothing more can be captured.</param>
public sealed record ReportedCapture(string Provider, AttemptReference Charge, Money Amount, bool IsFinal);
