using Payments.Domain.Pricing;
using Payments.Domain.Providers;

namespace Payments.Domain.Charges;

/// <summary>The state of a charge.</summary>
public enum ChargeStatus
{
    /// <summary>Recorded. The provider has not answered yet.</summary>
    Pending,

    /// <summary>The customer has to authenticate at the redirect address.</summary>
    RequiresAction,

    /// <summary>The provider's answer is not known yet. The provider may have charged the customer.</summary>
    Processing,

    /// <summary>The amount is held and can be captured.</summary>
    Authorized,

    /// <summary>A part is captured. The rest can still be captured.</summary>
    PartiallyCaptured,

    /// <summary>Captured in full, or in part with the rest given back.</summary>
    Captured,

    /// <summary>The authorization was given back, or the payment was ended, before any capture.</summary>
    Canceled,

    /// <summary>The provider or the issuer refused. No money moved.</summary>
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
/// A payment that a merchant takes. All amounts are in <see cref="Currency"/>. An amount counts against the limits from the moment its
/// capture, cancel or refund is requested.
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
    /// <summary>The amount that cancels and final captures in progress give back.</summary>
    public Money Canceling { get; init; } = Money.Zero(Amount.Currency);

    public Currency Currency => Amount.Currency;

    /// <summary>How <see cref="Fee"/> was computed: one entry per capture, in the order of the captures.</summary>
    public IReadOnlyList<FeeDetail> FeeDetails { get; init; } = [];

    /// <summary>The part of <see cref="Fee"/> that refunds have given back.</summary>
    public Money FeeReturned { get; init; } = Money.Zero(Amount.Currency);

    /// <summary>The amount that can still be captured or canceled.</summary>
    public Money Capturable => Status is ChargeStatus.Authorized or ChargeStatus.PartiallyCaptured
        ? Authorized - Captured - Capturing - Canceled - Canceling
        : Money.Zero(Currency);

    /// <summary>The amount that can still be refunded.</summary>
    public Money Refundable => Captured - Refunded - Refunding;
}

public enum AttemptStatus
{
    /// <summary>Recorded before the provider is called. After a crash, the provider may have been called or not.</summary>
    Started,

    /// <summary>The call ended without an answer. The provider may have carried the operation out or not.</summary>
    Unknown,

    /// <summary>The customer has to act first, for example authenticate.</summary>
    RequiresAction,

    /// <summary>The provider accepted it and reports the outcome later.</summary>
    Pending,

    Succeeded,

    Declined,

    /// <summary>The provider never carried it out, or ended it before any capture.</summary>
    Failed,
}

/// <summary>One try of one operation at one provider.</summary>
/// <param name="IdempotencyKey">
/// The caller's key, under which the response is stored. Null if the platform started the operation by itself.
/// </param>
/// <param name="NextCheckAt">When the resolver asks the provider. Null once the attempt is settled.</param>
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
    /// <summary>The part of the authorization that a final capture gives back.</summary>
    public Money Released { get; init; } = Money.Zero(Amount.Currency);

    /// <summary>True for the cancel of a lapsed charge. It ends the charge as expired, not as canceled.</summary>
    public bool IsExpiry { get; init; }

    /// <summary>
    /// A person made it at the provider. It does not carry our reference, so the resolver cannot ask about it. Only the provider's events
    /// report its outcome.
    /// </summary>
    public bool MadeElsewhere { get; init; }

    /// <summary>When the platform raised an alert because it was still open. Null while it is not overdue.</summary>
    public DateTimeOffset? OverdueAt { get; init; }

    public AttemptReference Reference => new(Merchant, Id);

    public bool IsSettled => Status is AttemptStatus.Succeeded or AttemptStatus.Declined or AttemptStatus.Failed;
}
