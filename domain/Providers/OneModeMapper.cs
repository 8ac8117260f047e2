using System.Text.Json;
using Payments.Domain.Database;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Providers;

/// <summary>
/// Ignores events of the other mode. Stripe delivers test events of connected accounts to live endpoints, with a valid signature. The
/// receiver has to check <c>livemode</c> (https://docs.stripe.com/connect/webhooks).
/// </summary>
internal sealed class OneModeMapper(INeutralEventMapper inner, Mode mode, Func<JsonElement, Mode?> modeOf) : INeutralEventMapper
{
    public string Provider => inner.Provider;

    public INeutralEvent? Map(ProviderEvent received, JsonElement payload) => modeOf(payload) is { } other && other != mode
        ? new EventIgnored($"It is a {DbText.Of(other)} event, and {Provider} takes {DbText.Of(mode)} payments.")
        : inner.Map(received, payload);
}
