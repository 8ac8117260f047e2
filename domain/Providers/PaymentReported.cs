using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Providers;

/// <summary>A provider tells, by itself, how an attempt of ours stands.</summary>
/// <param name="Provider">The provider that reported it. It speaks only for attempts that were made at it.</param>
/// <param name="Reference">Our reference that the event carries.</param>
public sealed record PaymentReported(string Provider, AttemptReference Reference, PaymentAnswer Answer) : INeutralEvent
{
    /// <summary>
    /// What the event is about, where it may be another operation than the one whose reference it carries: what somebody makes in a
    /// dashboard carries the payment's.
    /// </summary>
    public ReportedOperation? Told { get; init; }

    /// <summary>What the provider has captured of the payment in all, by whomever; null where the event does not say.</summary>
    public ReportedCapture? Captured { get; init; }
}

/// <summary>A provider tells of a capture, cancel or refund that carries no reference of ours: somebody made it there.</summary>
public sealed record OperationReported(ReportedOperation Told, PaymentAnswer Answer) : INeutralEvent;

/// <summary>
/// A provider tells how much of a payment was refunded in all. Each refund has an event of its own: this one only says whether one is
/// missing.
/// </summary>
/// <param name="Payment">The provider's id of the payment.</param>
public sealed record RefundedInAll(string Provider, string Payment, Money Amount) : INeutralEvent;

/// <param name="Payment">The provider's id of the payment; null where the event does not name it.</param>
/// <param name="Amount">Null where it is all that is left.</param>
public sealed record ReportedOperation(string Provider, PaymentOperation Operation, string? Payment, Money? Amount)
{
    /// <summary>It had succeeded, and the provider takes that back. The event may have another id than the operation.</summary>
    public bool TakesBack { get; init; }
}

/// <param name="Charge">The reference of the payment.</param>
/// <param name="IsFinal">Nothing more can be captured.</param>
public sealed record ReportedCapture(string Provider, AttemptReference Charge, Money Amount, bool IsFinal);
