using Microsoft.Azure.Functions.Worker;
using Payments.Domain.Webhooks.Inbound;
using Payments.Domain.Webhooks.Outbound;

namespace Payments.Functions.Timers;

/// <summary>The net under merchants' webhooks, which instances deliver as long as they live; and what is kept no longer.</summary>
public sealed class WebhookTimers(WebhookDispatcher dispatcher, WebhookDeliveries deliveries, WebhookEndpoints endpoints, ProviderEvents providerEvents)
{
    [Function("DispatchWebhooks")]
    public Task DispatchAsync([TimerTrigger("%Messaging:RelaySchedule%")] TimerInfo timer, CancellationToken ct) => dispatcher.DispatchDueAsync(ct);

    [Function("PurgeWebhooks")]
    public async Task PurgeAsync([TimerTrigger("0 37 3 * * *")] TimerInfo timer, CancellationToken ct)
    {
        await deliveries.PurgeAsync(ct);
        await providerEvents.PurgeAsync(ct);

        // After the key ring got a new active key, one night brings every secret under it.
        await endpoints.ResealAsync(ct);
    }
}
