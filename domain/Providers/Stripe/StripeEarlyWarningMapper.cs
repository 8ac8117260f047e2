using System.Text.Json;
using Payments.Domain.Disputes;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Providers.Stripe;

/// <summary>
/// Maps Stripe's <c>radar.early_fraud_warning.*</c> events. An issuer reports fraud, and a refund may still prevent the chargeback, which
/// would be another object. The warning has no amount: it is about the whole charge. A warning that is not actionable was refunded or
/// disputed.
/// </summary>
public sealed class StripeEarlyWarningMapper(string provider = StripeDisputes.Provider) : INeutralEventMapper
{
    public string Provider => provider;

    public INeutralEvent? Map(ProviderEvent received, JsonElement payload)
    {
        if (!received.Type.StartsWith("radar.early_fraud_warning.", StringComparison.Ordinal))
            return null;
        try
        {
            var warning = payload.GetProperty("data").GetProperty("object");
            var actionable = warning.GetProperty("actionable").GetBoolean();
            return new DisputeTold(new DisputeUpdate(
                Provider,
                warning.GetProperty("id").GetString()!,
                Text(warning, "payment_intent") ?? Text(warning, "charge"),
                DisputeStage.EarlyWarning,
                actionable ? DisputeStatus.WarningNeedsResponse : DisputeStatus.WarningClosed,
                Amount: null,
                Returned: null,
                MerchantAmount: null,
                Network: null,
                NetworkReasonCode: null,
                DisputeReason.Fraudulent,
                EvidenceDueBy: null,
                DateTimeOffset.FromUnixTimeSeconds(payload.GetProperty("created").GetInt64()),
                DisputeSource.Webhook,
                received.EventId));
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or ArgumentException or FormatException)
        {
            throw new FormatException($"Not an early fraud warning of Stripe: {e.Message}", e);
        }
    }

    private static string? Text(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
