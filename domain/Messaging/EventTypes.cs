namespace Payments.Domain.Messaging;

/// <summary>
/// Every type of event. The list is part of the contract: docs/openapi.yaml has the same list, and a webhook endpoint can ask only for
/// types on it.
/// </summary>
public static class EventTypes
{
    /// <summary>The types that merchants receive.</summary>
    public static IReadOnlyList<string> OfMerchants { get; } =
    [
        "attempt.overdue",
        "balance.available",
        "bank_account.corrected",
        "bank_account.correction_required",
        "charge.authorized",
        "charge.cancel_failed",
        "charge.canceled",
        "charge.capture_failed",
        "charge.captured",
        "charge.declined",
        "charge.expired",
        "charge.processing",
        "charge.requires_action",
        "dispute.closed",
        "dispute.created",
        "dispute.due_soon",
        "dispute.funds_reinstated",
        "dispute.funds_withdrawn",
        "dispute.updated",
        "payout.canceled",
        "payout.created",
        "payout.failed",
        "payout.held",
        "payout.paid",
        "payout.returned",
        "refund.created",
        "refund.failed",
        "refund.pending",
        "refund.processing",
        "refund.succeeded",
        "webhook_endpoint.disabled",
        "webhook_endpoint.test",
    ];

    /// <summary>The types that only the platform receives. Their objects belong to no merchant.</summary>
    public static IReadOnlyList<string> OfThePlatform { get; } =
    [
        "dispute_file.completed",
        "dispute_file.rejected",
        "unmatched_bank_item.acknowledged",
        "unmatched_bank_item.created",
    ];

    /// <summary>The filters of a webhook endpoint: <c>*</c>, families such as <c>charge.*</c>, and types.</summary>
    public static IReadOnlyList<string> Filters { get; } =
        ["*", .. OfMerchants.Select(Family).Distinct(StringComparer.Ordinal), .. OfMerchants];

    private static string Family(string type) => type[..type.IndexOf('.', StringComparison.Ordinal)] + ".*";
}
