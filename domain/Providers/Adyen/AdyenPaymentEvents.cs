using System.Text.Json;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Providers.Adyen;

/// <summary>
/// Maps Adyen's notifications about payments and modifications. <c>merchantReference</c> is the reference of the request that a
/// notification is about, so a capture has its own. An operation made in the Customer Area carries the payment's reference. Source:
/// docs.adyen.com/development-resources/webhooks/webhook-types.
/// </summary>
public sealed class AdyenPaymentEvents(string provider) : INeutralEventMapper
{
    public string Provider => provider;

    public INeutralEvent? Map(ProviderEvent received, JsonElement payload)
    {
        if (AdyenDisputes.IsDisputeEvent(received.Type))
            return null;
        var code = received.Type is "CANCEL_OR_REFUND" ? Modification(payload) : received.Type;
        var isOurs = AdyenReference.TryParse(payload.Text("merchantReference"), out var reference, out var capturesItself);
        var happened = payload.IsTrue("success");
        var id = payload.Text("pspReference");
        switch (code)
        {
            case "AUTHORISATION" when !isOurs:
                return NotOurs(id);
            case "AUTHORISATION":
                var data = payload.Object("additionalData");
                return new PaymentReported(Provider, reference, happened
                    ? new PaymentAnswer(capturesItself ? PaymentResult.Succeeded : PaymentResult.Authorized, id, Card: AdyenAnswers.Card(data))
                    : AdyenAnswers.Refused(data.Text("refusalReasonCode"), payload.Text("reason"), id));
            case "EXPIRE" when happened && isOurs:
                return new PaymentReported(Provider, reference, new PaymentAnswer(PaymentResult.Expired, id));
            case "EXPIRE":
                return isOurs ? new EventIgnored("It did not expire: success is false.") : NotOurs(id);
            case "CAPTURE":
                return Operation(PaymentOperation.Capture);
            case "CANCELLATION" or "TECHNICAL_CANCEL":
                return Operation(PaymentOperation.Cancel);
            case "REFUND" or "POSTPONED_REFUND":
                return Operation(PaymentOperation.Refund);

            // The operation was accepted or had succeeded, and now the money goes back.
            case "CAPTURE_FAILED" when happened:
                return Operation(PaymentOperation.Capture, takesBack: true);
            case "REFUND_FAILED" or "REFUNDED_REVERSED" when happened:
                return Operation(PaymentOperation.Refund, takesBack: true);
            case "CAPTURE_FAILED" or "REFUND_FAILED" or "REFUNDED_REVERSED":
                return new EventIgnored($"Nothing was taken back: success is false of the {code} {id}.");
        }

        return AdyenEventTypes.All.Find(received.Type) switch
        {
            { Treatment: EventTreatment.Raised } raised => throw new FormatException(
                $"{received.Type} {id} of {payload.Text("originalReference") ?? payload.Text("merchantReference")}: {raised.Because}"),
            { } listed => new EventIgnored(listed.Because),
            null when isOurs => throw new FormatException(
                $"{received.Type} {id} names {reference}, and the type is new: nobody here knows what it does."),
            null => new EventIgnored(
                $"The type '{received.Type}' is not on the list of docs/providers.md, and the event names no payment of this platform."),
        };

        INeutralEvent Operation(PaymentOperation operation, bool takesBack = false)
        {
            var answer = takesBack ? PaymentAnswer.Declined(DeclineCode.ProcessingError, payload.Text("reason"), id)
                : !happened ? PaymentAnswer.Declined(DeclineCode.InvalidRequest, payload.Text("reason"), id)
                : new PaymentAnswer(code is "POSTPONED_REFUND" ? PaymentResult.Pending : PaymentResult.Succeeded, id);

            // A cancel gives back everything that is left, whatever amount the event names.
            var amount = operation is PaymentOperation.Cancel ? null : Amount(payload);
            var told = new ReportedOperation(provider, operation, payload.Text("originalReference"), amount) { TakesBack = takesBack };
            return isOurs ? new PaymentReported(Provider, reference, answer) { Told = told } : new OperationReported(told, answer);
        }
    }

    private static EventIgnored NotOurs(string? id) =>
        new($"The payment {id} was not made by this platform: its merchantReference is not one of this platform's.");

    /// <summary>The operation that Adyen chose for a request to cancel or refund.</summary>
    private static string Modification(JsonElement payload) => payload.Object("additionalData").Text("modification.action") switch
    {
        "cancel" => "CANCELLATION",
        "refund" => "REFUND",
        _ => throw new FormatException(
            $"CANCEL_OR_REFUND {payload.Text("pspReference")} does not say which of the two it was: additionalData has no modification.action."),
    };

    /// <exception cref="FormatException">The amount has no value or no valid currency.</exception>
    private static Money? Amount(JsonElement payload)
    {
        if (payload.Object("amount") is not { } amount)
            return null;
        return amount.Number("value") is { } units && Currency.TryParse(amount.Text("currency"), out var currency)
            ? AdyenAmounts.FromUnits(units, currency)
            : throw new FormatException("The amount is no value with a currency.");
    }
}
