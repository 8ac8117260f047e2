using System.Text.Json;
using Payments.Domain.Disputes;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Providers.Adyen;

/// <summary>Maps Adyen's dispute notifications. An item whose <c>success</c> is false changed nothing and is ignored.</summary>
public sealed class AdyenDisputeMapper(string provider = AdyenDisputes.Provider) : INeutralEventMapper
{
    public string Provider => provider;

    public INeutralEvent? Map(ProviderEvent received, JsonElement payload) =>
        !AdyenDisputes.IsDisputeEvent(received.Type) ? null
            : payload.IsTrue("success") ? new DisputeTold(Update(payload, received))
            : new EventIgnored($"Nothing changed of the dispute: success is false of the {received.Type}.");

    private DisputeUpdate Update(JsonElement payload, ProviderEvent received) =>
        AdyenDisputes.Read(payload, DisputeSource.Webhook, received.EventId) with { Provider = provider };
}
