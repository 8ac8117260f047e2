using System.Text.Json;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Providers.Stripe;

/// <summary>
/// Maps Stripe's events about PaymentIntents and refunds. Each event carries the object as it was then. An event that is older than the
/// recorded state changes nothing. Source: docs.stripe.com/api/events/types.
/// </summary>
public sealed class StripePaymentEvents(string provider) : INeutralEventMapper
{
    public string Provider => provider;

    public INeutralEvent? Map(ProviderEvent received, JsonElement payload)
    {
        var type = received.Type;
        if (StripeDisputes.IsDisputeEvent(type) || type.StartsWith("radar.early_fraud_warning.", StringComparison.Ordinal))
            return null;
        if (type.StartsWith("payment_intent.", StringComparison.Ordinal))
            return OfIntent(type, Object(payload));
        if (type.StartsWith("refund.", StringComparison.Ordinal) || type is "charge.refund.updated")
            return OfRefund(Object(payload));
        if (type is "charge.refunded")
            return OfRefunds(Object(payload));
        return StripeEventTypes.All.Find(type) switch
        {
            { Treatment: EventTreatment.Raised } raised =>
                throw new FormatException($"{type} {payload.Object("data").Object("object").Text("id")}: {raised.Because}"),
            { } listed => new EventIgnored(listed.Because),
            null when Reference(payload.Object("data").Object("object"), out var ours) =>
                throw new FormatException($"The event names {ours}, and its type '{type}' is new: nobody here knows what it does."),
            null => new EventIgnored(
                $"The type '{type}' is not on the list of docs/providers.md, and the event names no payment of this platform."),
        };
    }

    private static JsonElement Object(JsonElement payload) =>
        payload.Object("data").Object("object") ?? throw new FormatException("The event has no object.");

    private static bool Reference(JsonElement? item, out AttemptReference reference) =>
        AttemptReference.TryParse(item.Object("metadata").Text(StripeAnswers.Reference), out reference);

    private INeutralEvent OfIntent(string type, JsonElement intent)
    {
        var metadata = intent.Object("metadata");
        if (!AttemptReference.TryParse(metadata.Text(StripeAnswers.Reference), out var charge))
            return new EventIgnored(
                $"The payment {intent.Text("id")} was not made by this platform: its metadata has no reference of this platform.");
        var captured = Captured(intent, charge);

        // A captured payment was authorized before, and that is recorded already, so the event reports the capture. Only a cancel of the
        // rest is about the charge.
        if (type is not "payment_intent.canceled" && AttemptReference.TryParse(metadata.Text(StripeAnswers.LatestCapture), out var capture)
            && StripeAnswers.OfCapture(intent, capture) is { Result: not PaymentResult.Unknown } told)
        {
            return new PaymentReported(Provider, capture, told) { Captured = captured };
        }

        var answer = StripeAnswers.OfIntent(intent);
        return answer.Result is PaymentResult.Unknown
            ? new EventIgnored($"The payment {intent.Text("id")} is {intent.Text("status")}: nothing has become of it yet.")
            : new PaymentReported(Provider, charge, answer) { Captured = captured };
    }

    /// <summary>The total captured amount. Null for a payment with immediate capture, which cannot be captured in part.</summary>
    private ReportedCapture? Captured(JsonElement intent, AttemptReference charge) =>
        intent.Text("capture_method") is not ("automatic" or "automatic_async") && intent.Number("amount_received") is { } units and > 0
            ? new ReportedCapture(provider, charge, Amount(intent, units), intent.Text("status") is "succeeded")
            : null;

    private INeutralEvent OfRefund(JsonElement refund)
    {
        var answer = StripeAnswers.OfRefund(refund);
        if (answer.Result is PaymentResult.Unknown)
            throw new FormatException($"The status '{refund.Text("status")}' says nothing of the refund {refund.Text("id")}.");
        Money? amount = refund.Number("amount") is { } units ? Amount(refund, units) : null;
        var told = new ReportedOperation(provider, PaymentOperation.Refund, refund.Text("payment_intent"), amount);
        return Reference(refund, out var reference) ? new PaymentReported(Provider, reference, answer) { Told = told }
            : told.Payment is null && refund.Text("charge") is { } charge ? NoPayment(charge)
            : new OperationReported(told, answer);
    }

    private INeutralEvent OfRefunds(JsonElement charge) =>
        charge.Text("payment_intent") is not { } payment
            ? NoPayment(charge.Text("id"))
        : charge.Number("amount_refunded") is { } units ? new RefundedInAll(provider, payment, Amount(charge, units))
        : throw new FormatException($"The charge {charge.Text("id")} does not say how much was refunded.");

    private static EventIgnored NoPayment(string? charge) =>
        new($"The charge {charge} has no PaymentIntent: it was not made by this platform.");

    /// <exception cref="FormatException">The currency is not valid, or the units are not a whole amount of it.</exception>
    private static Money Amount(JsonElement item, long units) =>
        Currency.TryParse(item.Text("currency"), out var currency)
            ? StripeAmounts.FromUnits(units, currency)
            : throw new FormatException($"'{item.Text("currency")}' is no currency.");
}
