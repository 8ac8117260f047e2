using System.Text.Json;
using Payments.Domain.Disputes;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Providers.Sandbox;

/// <summary>Maps the sandbox's <c>dispute.*</c> events. Several of them may report one change. All but the first are duplicates.</summary>
public sealed class SandboxDisputeMapper(string provider = SandboxDisputes.Provider) : INeutralEventMapper
{
    public string Provider => provider;

    public INeutralEvent? Map(ProviderEvent received, JsonElement payload)
    {
        if (!SandboxDisputes.IsDisputeEvent(received.Type))
            return null;
        return payload.TryGetProperty("data", out var data)
            ? new DisputeTold(SandboxDisputes.Read(data, DisputeSource.Webhook, received.EventId) with { Provider = provider })
            : throw new FormatException("The event has no data.");
    }
}
