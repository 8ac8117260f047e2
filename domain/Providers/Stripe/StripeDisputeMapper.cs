using System.Text.Json;
using Payments.Domain.Disputes;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Providers.Stripe;

/// <summary>Maps Stripe's <c>charge.dispute.*</c> events.</summary>
public sealed class StripeDisputeMapper(string provider = StripeDisputes.Provider) : INeutralEventMapper
{
    public string Provider => provider;

    public INeutralEvent? Map(ProviderEvent received, JsonElement payload)
    {
        if (!StripeDisputes.IsDisputeEvent(received.Type))
            return null;
        return payload.TryGetProperty("created", out var created) && created.ValueKind == JsonValueKind.Number && created.TryGetInt64(out var seconds)
            && payload.TryGetProperty("data", out var data) && data.ValueKind == JsonValueKind.Object && data.TryGetProperty("object", out var dispute)
            ? new DisputeTold(Update(dispute, seconds, received))
            : throw new FormatException("The event has no time or no object.");
    }

    private DisputeUpdate Update(JsonElement dispute, long seconds, ProviderEvent received) =>
        StripeDisputes.Read(dispute, DateTimeOffset.FromUnixTimeSeconds(seconds), DisputeSource.Webhook, received.EventId)
            with
        { Provider = provider };
}
