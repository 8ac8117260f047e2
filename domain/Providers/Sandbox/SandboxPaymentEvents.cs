using System.Text.Json;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Providers.Sandbox;

/// <summary>The acquirer's events of payments, captures, cancels and refunds in our words.</summary>
public sealed class SandboxPaymentEvents(string provider) : INeutralEventMapper
{
    public string Provider => provider;

    public INeutralEvent? Map(ProviderEvent received, JsonElement payload)
    {
        if (!received.Type.StartsWith("payment.", StringComparison.Ordinal)
            && !received.Type.StartsWith("capture.", StringComparison.Ordinal)
            && !received.Type.StartsWith("refund.", StringComparison.Ordinal))
        {
            return null;
        }

        if (!payload.TryGetProperty("data", out var data) || data.ValueKind is not JsonValueKind.Object)
            throw new FormatException("The event has no data.");
        if (!data.TryGetProperty("reference", out var text) || text.ValueKind is not JsonValueKind.String || !AttemptReference.TryParse(text.GetString(), out var reference))
            throw new FormatException("The reference is none of ours.");
        var answer = data.TryGetProperty("object", out var kind) && kind.ValueKind is JsonValueKind.String && kind.GetString() == "payment"
            ? Read(data, SandboxJson.Default.SandboxPayment) is { } payment ? SandboxAnswers.Of(payment) : null
            : Read(data, SandboxJson.Default.SandboxOperation) is { } operation ? SandboxAnswers.Of(operation) : null;

        // Of a payment that was captured in part the status stays captured: only the event's name says that the rest has lapsed.
        if (received.Type == "payment.expired" && answer is not null)
            answer = answer with { Result = PaymentResult.Expired };
        return answer is null ? throw new FormatException("The data is not what the acquirer documents.")
            : answer.Result is PaymentResult.Unknown ? null
            : new PaymentReported(reference, answer);
    }

    private static T? Read<T>(JsonElement data, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return data.Deserialize(type);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
