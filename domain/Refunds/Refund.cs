namespace Payments.Domain.Refunds;

public enum RefundStatus
{
    /// <summary>Recorded, or taken on by the provider, which tells the end later.</summary>
    Pending,

    /// <summary>The provider's answer is not known yet. It may have refunded.</summary>
    Processing,

    /// <summary>The money is on its way back to the customer.</summary>
    Succeeded,

    /// <summary>Nothing was returned; the amount can be refunded again.</summary>
    Failed,
}

public enum RefundReason
{
    RequestedByCustomer,
    Duplicate,
    Fraudulent,
}

/// <summary>Captured money given back to the customer. It counts against the charge from the moment it is asked for.</summary>
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
    /// <summary>The fee that went back to the merchant with the refund, by the policy of its plan.</summary>
    public Money FeeReturned { get; init; } = Money.Zero(Amount.Currency);

    /// <summary>Somebody made it at the provider, in its dashboard say, and not through this platform.</summary>
    public bool MadeElsewhere { get; init; }
}
