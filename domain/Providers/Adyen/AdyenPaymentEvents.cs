using System.Text.Json;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Providers.Adyen;

/// <summary>
/// Adyen's notifications of payments and modifications in our words. Source: docs.adyen.com/development-resources/webhooks/webhook-types. <c>merchantReference</c> is the
/// reference of the request that the notification is about: for a capture, the capture's own.
/// </summary>
public sealed class AdyenPaymentEvents(string provider) : INeutralEventMapper
{
    public string Provider => provider;

    public INeutralEvent? Map(ProviderEvent received, JsonElement payload)
    {
        var happened = payload.IsTrue("success");
        var isOurs = AdyenReference.TryParse(payload.Text("merchantReference"), out var reference, out var capturesItself);
        var id = payload.Text("pspReference");
        PaymentAnswer? answer = received.Type switch
        {
            "AUTHORISATION" when happened =>
                new PaymentAnswer(capturesItself ? PaymentResult.Succeeded : PaymentResult.Authorized, id, Card: AdyenAnswers.Card(payload.Object("additionalData"))),
            "AUTHORISATION" => AdyenAnswers.Refused(payload.Object("additionalData").Text("refusalReasonCode"), payload.Text("reason"), id),
            "CAPTURE" or "CANCELLATION" or "TECHNICAL_CANCEL" or "REFUND" => happened
                ? new PaymentAnswer(PaymentResult.Succeeded, id)
                : PaymentAnswer.Declined(DeclineCode.InvalidRequest, payload.Text("reason"), id),

            // It was taken on and went wrong at the scheme.
            "CAPTURE_FAILED" or "REFUND_FAILED" when happened => PaymentAnswer.Declined(DeclineCode.ProcessingError, payload.Text("reason"), id),
            "EXPIRE" when happened => new PaymentAnswer(PaymentResult.Expired, id),
            _ => null,
        };
        if (answer is null)
            return null;
        if (isOurs)
            return new PaymentReported(reference, answer);

        // Payments that were not made here concern nobody; money that went back and no one asked for here does.
        return received.Type is "REFUND" or "REFUND_FAILED"
            ? throw new FormatException($"The refund {id} was not made here: its merchantReference is none of ours.")
            : null;
    }
}
