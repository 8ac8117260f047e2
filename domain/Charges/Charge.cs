using Payments.Domain.Pricing;
using Payments.Domain.Providers;

namespace Payments.Domain.Charges;

/// <summary>Where a charge stands.</summary>
public enum ChargeStatus
{
    /// <summary>Recorded; the provider is being asked.</summary>
    Pending,

    /// <summary>The customer has to authenticate at the redirect address.</summary>
    RequiresAction,

    /// <summary>The provider's answer is not known yet. It may have charged.</summary>
    Processing,

    /// <summary>The amount is held and can be captured.</summary>
    Authorized,

    /// <summary>A part is captured; the rest can still be.</summary>
    PartiallyCaptured,

    /// <summary>Captured, in full or as far as it ever will be.</summary>
    Captured,

    /// <summary>Given back, or given up, before anything was captured.</summary>
    Canceled,

    /// <summary>Refused; nothing was moved.</summary>
    Declined,

    /// <summary>The authorization lapsed before anything was captured.</summary>
    Expired,
}

public enum CaptureMethod
{
    Automatic,
    Manual,
}

/// <summary>
/// A payment taken for a merchant. All amounts are of <see cref="Currency"/>. What is being captured, canceled or refunded counts against the
/// limits from the moment it is asked for.
/// </summary>
public sealed record Charge(
    MerchantId Merchant,
    ChargeId Id,
    ChargeStatus Status,
    Money Amount,
    CaptureMethod CaptureMethod,
    Money Authorized,
    Money Capturing,
    Money Captured,
    Money Canceled,
    Money Refunding,
    Money Refunded,
    Money Fee,
    string PaymentToken,
    string Provider,
    string? ProviderReference,
    DeclineCode? Decline,
    string? RedirectUrl,
    CardDetails? Card,
    string? Customer,
    string? Description,
    string? StatementDescriptor,
    string MetadataJson,
    DateTimeOffset CreatedAt,
    DateTimeOffset UpdatedAt,
    DateTimeOffset? ExpiresAt)
{
    /// <summary>What is being given back: asked for, its end not known.</summary>
    public Money Canceling { get; init; } = Money.Zero(Amount.Currency);

    public Currency Currency => Amount.Currency;

    /// <summary>How <see cref="Fee"/> came about: one entry for each capture, in their order.</summary>
    public IReadOnlyList<FeeDetail> FeeDetails { get; init; } = [];

    /// <summary>How much of <see cref="Fee"/> refunds have given back.</summary>
    public Money FeeReturned { get; init; } = Money.Zero(Amount.Currency);

    /// <summary>What can still be captured or canceled.</summary>
    public Money Capturable => Status is ChargeStatus.Authorized or ChargeStatus.PartiallyCaptured
        ? Authorized - Captured - Capturing - Canceled - Canceling
        : Money.Zero(Currency);

    /// <summary>What can still be refunded.</summary>
    public Money Refundable => Captured - Refunded - Refunding;
}

public enum AttemptStatus
{
    /// <summary>Recorded before the provider was called; after a crash nobody knows more.</summary>
    Started,

    /// <summary>The call ended without an answer.</summary>
    Unknown,

    /// <summary>Waits for the customer.</summary>
    RequiresAction,

    /// <summary>The provider took it on and tells the end later.</summary>
    Pending,

    Succeeded,

    Declined,

    /// <summary>It is certain that it was never carried out.</summary>
    Failed,
}

/// <summary>One try of one operation at one provider.</summary>
/// <param name="IdempotencyKey">Under which the answer is kept for the caller; null for what the platform does by itself.</param>
/// <param name="NextCheckAt">When to ask the provider; null once the attempt is settled.</param>
public sealed record Attempt(
    MerchantId Merchant,
    AttemptId Id,
    ChargeId Charge,
    RefundId? Refund,
    PaymentOperation Operation,
    AttemptStatus Status,
    string Provider,
    Money Amount,
    string? ProviderReference,
    DeclineCode? Decline,
    string? IdempotencyKey,
    int Checks,
    DateTimeOffset? NextCheckAt,
    DateTimeOffset CreatedAt,
    DateTimeOffset? FinishedAt)
{
    /// <summary>What a final capture gives back of the authorization besides what it takes.</summary>
    public Money Released { get; init; } = Money.Zero(Amount.Currency);

    /// <summary>A cancel because the authorization has lapsed: the charge then is expired, not canceled.</summary>
    public bool IsExpiry { get; init; }

    /// <summary>
    /// Somebody made it at the provider. Nothing there bears our reference, so the provider cannot be asked about it: its events tell.
    /// </summary>
    public bool MadeElsewhere { get; init; }

    /// <summary>When people were told that it is still open; null while it is not overdue.</summary>
    public DateTimeOffset? OverdueAt { get; init; }

    public AttemptReference Reference => new(Merchant, Id);

    public bool IsSettled => Status is AttemptStatus.Succeeded or AttemptStatus.Declined or AttemptStatus.Failed;
}
