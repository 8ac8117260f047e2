namespace Payments.Domain.Messaging;

/// <summary>The queues, by the same names on Storage queues and on Service Bus.</summary>
public static class QueueNames
{
    /// <summary>Stored events of providers, to be applied.</summary>
    public const string ProviderEvents = "provider-events";

    /// <summary>Events that some webhook endpoint wants.</summary>
    public const string WebhookDeliveries = "webhook-deliveries";

    /// <summary>Payouts to be handed to the bank or the processor.</summary>
    public const string PayoutSubmissions = "payout-submissions";

    public static IReadOnlyList<string> All { get; } = [ProviderEvents, WebhookDeliveries, PayoutSubmissions];
}
