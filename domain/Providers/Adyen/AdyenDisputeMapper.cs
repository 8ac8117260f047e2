using System.Text.Json;
using Payments.Domain.Disputes;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Providers.Adyen;

/// <summary>Adyen's dispute notifications; an item that reports its own failure (<c>success</c> false) changed nothing and is left out.</summary>
public sealed class AdyenDisputeMapper : INeutralEventMapper
{
    public string Provider => AdyenDisputes.Provider;

    public INeutralEvent? Map(ProviderEvent received, JsonElement payload) =>
        !AdyenDisputes.IsDisputeEvent(received.Type) ? null
            : payload.IsTrue("success") ? new DisputeTold(AdyenDisputes.Read(payload, DisputeSource.Webhook, received.EventId))
            : new EventIgnored($"Nothing changed of the dispute: success is false of the {received.Type}.");
}
