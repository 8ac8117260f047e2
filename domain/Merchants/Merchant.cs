using Payments.Domain.Pricing;

namespace Payments.Domain.Merchants;

public enum MerchantStatus
{
    /// <summary>Takes charges and is paid out.</summary>
    Active,

    /// <summary>Takes no new charges. Refunds, disputes and reads still work.</summary>
    Suspended,

    /// <summary>Has left the platform. Only reads work.</summary>
    Closed,
}

/// <summary>One account, live or test, of a business that takes payments through the platform.</summary>
/// <param name="Country">ISO 3166-1 alpha-2.</param>
/// <param name="FeePlan">The plan that was in force when the merchant was read.</param>
/// <param name="PayoutDelayDays">Business days between a capture and the day on which its funds can be paid out.</param>
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
    /// <summary>Every version of the fee plan. The version in force at the time of a capture prices it.</summary>
    public FeePlanHistory FeePlans { get; init; } = new([new FeePlanVersion(1, CreatedAt, FeePlan, CreatedAt, "platform")]);
}
