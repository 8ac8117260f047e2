using Payments.Domain.Pricing;

namespace Payments.Domain.Merchants;

public enum MerchantStatus
{
    /// <summary>Takes charges and is paid out.</summary>
    Active,

    /// <summary>Takes no new charges; refunds, disputes and reads go on.</summary>
    Suspended,

    /// <summary>Has left the platform; only reads.</summary>
    Closed,
}

/// <summary>One account, live or test, of a business that takes payments through the platform.</summary>
/// <param name="Country">ISO 3166-1 alpha-2.</param>
/// <param name="FeePlan">The plan that was in force when the merchant was read.</param>
/// <param name="PayoutDelayDays">Days between a capture and the day its funds can be paid out.</param>
public sealed record Merchant(
    MerchantId Id,
    string Name,
    string Country,
    MerchantStatus Status,
    FeePlan FeePlan,
    short PayoutDelayDays,
    IReadOnlyDictionary<string, string> Metadata,
    DateTimeOffset CreatedAt,
    DateTimeOffset UpdatedAt)
{
    /// <summary>Every version of the fee plan; each capture is priced by the one in force at its time.</summary>
    public FeePlanHistory FeePlans { get; init; } = new([new FeePlanVersion(1, CreatedAt, FeePlan, CreatedAt, "platform")]);
}
