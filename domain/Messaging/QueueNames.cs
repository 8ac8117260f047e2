namespace Payments.Domain.Messaging;

/// <summary>The names of the queues, the same on Storage queues and on Service Bus.</summary>
public static class QueueNames
{
    /// <summary>Stored provider events that are to be applied.</summary>
    public const string ProviderEvents = "provider-events";

    /// <summary>Events that at least one webhook endpoint may want.</summary>
    public const string WebhookDeliveries = "webhook-deliveries";

    /// <summary>Payouts that are to be sent to the bank or the provider.</summary>
    public const string PayoutSubmissions = "payout-submissions";

    public static IReadOnlyList<string> All { get; } = [ProviderEvents, WebhookDeliveries, PayoutSubmissions];
}
