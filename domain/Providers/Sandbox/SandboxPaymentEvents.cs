using System.Text.Json;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Providers.Sandbox;

/// <summary>
/// Maps the acquirer's events about payments, captures, cancels and refunds. An operation that was made elsewhere names its payment.
/// </summary>
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

        if (payload.Object("data") is not { } data)
            throw new FormatException("The event has no data.");
        return data.Text("object") switch
        {
            "payment" => OfPayment(received.Type, data),
            _ => OfOperation(data),
        };
    }

    private INeutralEvent OfPayment(string type, JsonElement data)
    {
        var payment = Read(data, SandboxJson.Default.SandboxPayment)
            ?? throw new FormatException("The data is not what the acquirer documents.");
        if (!AttemptReference.TryParse(payment.Reference, out var reference))
            return new EventIgnored(
                $"The payment {payment.Id} was not made by this platform: its reference is not one of this platform's.");
        var answer = SandboxAnswers.Of(payment);

        // A partly captured payment keeps the status captured. Only the event's type says that the rest has lapsed.
        if (type == "payment.expired")
            answer = answer with { Result = PaymentResult.Expired };
        return answer.Result is PaymentResult.Unknown
            ? throw new FormatException($"The status '{payment.Status}' says nothing of the payment {payment.Id}.")
            : new PaymentReported(Provider, reference, answer);
    }

    private INeutralEvent OfOperation(JsonElement data)
    {
        var operation = Read(data, SandboxJson.Default.SandboxOperation)
            ?? throw new FormatException("The data is not what the acquirer documents.");
        var answer = SandboxAnswers.Of(operation);
        if (answer.Result is PaymentResult.Unknown)
            throw new FormatException($"The status '{operation.Status}' says nothing of the operation {operation.Id}.");
        PaymentOperation? kind = operation.Object switch
        {
            "capture" => PaymentOperation.Capture,
            "cancel" => PaymentOperation.Cancel,
            "refund" => PaymentOperation.Refund,
            _ => null,
        };
        var isOurs = AttemptReference.TryParse(operation.Reference, out var reference)
            || AttemptReference.TryParse(data.Text("payment_reference"), out reference);
        if (kind is not { } known)
            throw new FormatException($"'{operation.Object}' is no operation of the acquirer.");
        var told = new ReportedOperation(provider, known, data.Text("payment_id"), Amount(data));
        return isOurs ? new PaymentReported(Provider, reference, answer) { Told = told } : new OperationReported(told, answer);
    }

    private static Money? Amount(JsonElement data) =>
        data.Number("amount") is { } units && Currency.TryParse(data.Text("currency"), out var currency)
            ? new Money(units, currency)
            : null;

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
