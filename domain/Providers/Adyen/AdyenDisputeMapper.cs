using System.Text.Json;
using Payments.Domain.Disputes;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Providers.Adyen;

/// <summary>Maps Adyen's dispute notifications. An item whose <c>success</c> is false changed nothing and is ignored.</summary>
public sealed class AdyenDisputeMapper : INeutralEventMapper
{
    public string Provider => AdyenDisputes.Provider;

    public INeutralEvent? Map(ProviderEvent received, JsonElement payload) =>
        !AdyenDisputes.IsDisputeEvent(received.Type) ? null
            : payload.IsTrue("success") ? new DisputeTold(AdyenDisputes.Read(payload, DisputeSource.Webhook, received.EventId))
            : new EventIgnored($"Nothing changed of the dispute: success is false of the {received.Type}.");
}
