using System.Text.Json;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Providers.Stripe;

/// <summary>
/// Stripe's events of PaymentIntents and refunds in our words. Source: docs.stripe.com/api/events/types. Each carries the object as it was at the event; what is
/// older than what we know changes nothing.
/// </summary>
public sealed class StripePaymentEvents(string provider) : INeutralEventMapper
{
    public string Provider => provider;

    public INeutralEvent? Map(ProviderEvent received, JsonElement payload)
    {
        var isIntent = received.Type.StartsWith("payment_intent.", StringComparison.Ordinal);
        var isRefund = received.Type.StartsWith("refund.", StringComparison.Ordinal) || received.Type is "charge.refund.updated";
        if (!isIntent && !isRefund)
            return null;
        if (payload.Object("data").Object("object") is not { } data)
            throw new FormatException("The event has no object.");
        return isIntent ? OfIntent(received.Type, data) : OfRefund(data);
    }

    private static PaymentReported? OfIntent(string type, JsonElement intent)
    {
        var metadata = intent.Object("metadata");

        // A payment that was not made here: the account may have others.
        if (!AttemptReference.TryParse(metadata.Text(StripeAnswers.Reference), out var charge))
            return null;

        // What was captured was authorized before, and that is known: the event tells of the capture. Only that the rest was given up concerns the charge.
        if (type is not "payment_intent.canceled" && AttemptReference.TryParse(metadata.Text(StripeAnswers.LatestCapture), out var capture))
            return StripeAnswers.OfCapture(intent, capture) is { Result: not PaymentResult.Unknown } captured ? new PaymentReported(capture, captured) : null;
        var answer = StripeAnswers.OfIntent(intent);
        return answer.Result is PaymentResult.Unknown ? null : new PaymentReported(charge, answer);
    }

    private static PaymentReported? OfRefund(JsonElement refund)
    {
        // Money went back that no one asked for here: somebody has to know.
        if (!AttemptReference.TryParse(refund.Object("metadata").Text(StripeAnswers.Reference), out var reference))
            throw new FormatException($"The refund {refund.Text("id")} was not made here: its metadata holds no reference of ours.");
        var answer = StripeAnswers.OfRefund(refund);
        return answer.Result is PaymentResult.Unknown ? null : new PaymentReported(reference, answer);
    }
}
