namespace Payments.Domain.Refunds;

public enum RefundStatus
{
    /// <summary>Recorded, or accepted by the provider, which reports the outcome later.</summary>
    Pending,

    /// <summary>The provider's answer is not known yet. The provider may have refunded the customer.</summary>
    Processing,

    /// <summary>The money is on its way back to the customer.</summary>
    Succeeded,

    /// <summary>No money went back. The amount can be refunded again.</summary>
    Failed,
}

public enum RefundReason
{
    RequestedByCustomer,
    Duplicate,
    Fraudulent,
}

/// <summary>Captured money that goes back to the customer. It counts against the charge's limit from the moment it is requested.</summary>
public sealed record Refund(
    MerchantId Merchant,
    RefundId Id,
    ChargeId Charge,
    RefundStatus Status,
    Money Amount,
    RefundReason? Reason,
    string? FailureCode,
    string? ProviderReference,
    string MetadataJson,
    DateTimeOffset CreatedAt,
    DateTimeOffset UpdatedAt)
{
    /// <summary>The fee that the merchant got back with the refund, by the rules of its fee plan.</summary>
    public Money FeeReturned { get; init; } = Money.Zero(Amount.Currency);

    /// <summary>True if a person made it at the provider, for example in its dashboard, and not through this platform.</summary>
    public bool MadeElsewhere { get; init; }
}
