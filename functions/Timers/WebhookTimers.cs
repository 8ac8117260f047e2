using Microsoft.Azure.Functions.Worker;
using Payments.Domain.Webhooks.Inbound;
using Payments.Domain.Webhooks.Outbound;

namespace Payments.Functions.Timers;

/// <summary>Delivers webhooks that running instances did not deliver, and deletes data past its retention.</summary>
public sealed class WebhookTimers(WebhookDispatcher dispatcher, WebhookDeliveries deliveries, WebhookEndpoints endpoints, ProviderEvents providerEvents)
{
    [Function("DispatchWebhooks")]
    public Task DispatchAsync([TimerTrigger("%Messaging:RelaySchedule%")] TimerInfo timer, CancellationToken ct) => dispatcher.DispatchDueAsync(ct);

    [Function("PurgeWebhooks")]
    public async Task PurgeAsync([TimerTrigger("0 37 3 * * *")] TimerInfo timer, CancellationToken ct)
    {
        await deliveries.PurgeAsync(ct);
        await providerEvents.PurgeAsync(ct);

        // Seals every secret with the active key, within one night after the active key changed.
        await endpoints.ResealAsync(ct);
    }
}
