using System.Text.Json;
using Payments.Domain.Providers.Http;

namespace Payments.Domain.Providers.Stripe;

/// <summary>
/// Translates Stripe's objects and errors, from a response, a look-up or an event. Sources:
/// docs.stripe.com/payments/paymentintents/lifecycle (statuses), docs.stripe.com/api/errors (types), docs.stripe.com/declines/codes and
/// docs.stripe.com/error-codes (reasons), docs.stripe.com/api/refunds/object.
/// </summary>
internal static class StripeAnswers
{
    /// <summary>Metadata of a PaymentIntent or a refund: the reference of the attempt that made it.</summary>
    public const string Reference = "reference";

    /// <summary>Metadata of a PaymentIntent: the reference of the latest capture.</summary>
    public const string LatestCapture = "capture";

    /// <summary>
    /// Metadata of a PaymentIntent, one for each capture. The capture request writes it, so it exists exactly if the capture does. A name
    /// has at most 40 characters. (docs.stripe.com/api/metadata.)
    /// </summary>
    public static string CaptureMark(AttemptReference reference) => $"capture_{reference.Attempt.Value:N}";

    /// <summary>The result of the charge that made a PaymentIntent.</summary>
    public static PaymentAnswer OfIntent(JsonElement intent)
    {
        var id = intent.Text("id");
        var error = intent.Object("last_payment_error");
        var charge = intent.Object("latest_charge");
        var card = Card(charge.Object("payment_method_details") ?? error.Object("payment_method"));
        return intent.Text("status") switch
        {
            null => PaymentAnswer.Unknown("Stripe's answer is no PaymentIntent."),
            "succeeded" => new PaymentAnswer(PaymentResult.Succeeded, id, Card: card),
            "requires_capture" => new PaymentAnswer(PaymentResult.Authorized, id, Card: card) { ExpiresAt = HeldUntil(charge) },
            "processing" => new PaymentAnswer(PaymentResult.Pending, id, Card: card),
            "requires_action" => new PaymentAnswer(
                PaymentResult.RequiresAction, id, RedirectUrl: intent.Object("next_action").Object("redirect_to_url").Text("url"), Card: card),

            // This platform confirms a PaymentIntent when it creates it. So one that requires a payment method was declined, and its error
            // has the reason.
            "requires_payment_method" when error is { } declined => Declined(declined) with { Reference = id, Card = card },

            // Stripe itself cancels payments that were not captured or authenticated in time.
            "canceled" => new PaymentAnswer(intent.Text("cancellation_reason") is "automatic" ? PaymentResult.Expired : PaymentResult.Canceled, id, Card: card),
            var other => PaymentAnswer.Unknown($"The status '{other}' says nothing of the charge.") with { Reference = id },
        };
    }

    /// <summary>
    /// The result of a capture, from its response or a look-up. The PaymentIntent carries the capture's mark if it succeeded. Null if it
    /// does not.
    /// </summary>
    public static PaymentAnswer? OfCapture(JsonElement intent, AttemptReference reference) =>
        intent.Text("status") is null ? PaymentAnswer.Unknown("Stripe's answer is no PaymentIntent.")
        : intent.Object("metadata").Text(CaptureMark(reference)) is not null ? new PaymentAnswer(PaymentResult.Succeeded, intent.Text("id"))
        : null;

    /// <summary>
    /// The result of a cancel. A cancel has no mark, so the status decides. Null if the PaymentIntent is not canceled yet.
    /// </summary>
    public static PaymentAnswer? OfCancel(JsonElement intent) => intent.Text("status") switch
    {
        null => PaymentAnswer.Unknown("Stripe's answer is no PaymentIntent."),
        "canceled" => new PaymentAnswer(PaymentResult.Succeeded, intent.Text("id")),
        "succeeded" => PaymentAnswer.Declined(DeclineCode.InvalidRequest, "captured in full", intent.Text("id")),
        "processing" => PaymentAnswer.Unknown("It is still being processed."),
        _ => null,
    };

    public static PaymentAnswer OfRefund(JsonElement refund) => refund.Text("status") switch
    {
        "succeeded" => new PaymentAnswer(PaymentResult.Succeeded, refund.Text("id")),
        "pending" or "requires_action" => new PaymentAnswer(PaymentResult.Pending, refund.Text("id")),
        "failed" or "canceled" => PaymentAnswer.Declined(RefundFailure(refund.Text("failure_reason")), refund.Text("failure_reason") ?? refund.Text("status"), refund.Text("id")),
        var other => PaymentAnswer.Unknown($"The status '{other}' says nothing of the refund."),
    };

    /// <summary>A refusal with a 4xx status.</summary>
    public static PaymentAnswer OfError(ProviderExchange exchange)
    {
        if (ProviderJson.ParseObject(exchange.Body)?.Object("error") is not { } error || error.Text("type") is not { } type)
            return PaymentAnswer.Unknown($"{exchange.Detail} with a body that is not Stripe's.");
        var intent = error.Object("payment_intent");
        return type switch
        {
            "card_error" => Declined(error) with { Reference = intent.Text("id"), Card = Card(error.Object("payment_method")) },

            // The key was used for another request, or its request is still running. Neither says what the outcome is.
            "idempotency_error" => PaymentAnswer.Unknown($"Stripe: {error.Text("code") ?? type}."),
            _ when error.Text("code") is "idempotency_key_in_use" => PaymentAnswer.Unknown("Stripe: idempotency_key_in_use."),

            // Another request holds the lock of the object, so this one did nothing. (docs.stripe.com/rate-limits, "Object lock timeouts".)
            _ when error.Text("code") is "lock_timeout" => PaymentAnswer.NotSent("Stripe: lock_timeout."),
            "invalid_request_error" => PaymentAnswer.Declined(Reason(error), Detail(error), intent.Text("id")),

            // api_error has a 5xx status and is handled before. Other types are unknown to this platform.
            _ => PaymentAnswer.Unknown($"Stripe: {type}."),
        };
    }

    private static PaymentAnswer Declined(JsonElement error) => PaymentAnswer.Declined(Reason(error), Detail(error));

    private static string? Detail(JsonElement error) => error.Text("decline_code") ?? error.Text("code") ?? error.Text("type");

    private static DeclineCode Reason(JsonElement error) => (error.Text("decline_code"), error.Text("code"), error.Text("type")) switch
    {
        ({ } decline, _, _) => Decline(decline),
        (_, { } code, "card_error") => Decline(code),
        (_, "payment_intent_authentication_failure", _) => DeclineCode.AuthenticationFailed,
        (_, "authentication_required", _) => DeclineCode.AuthenticationRequired,
        (_, "amount_too_large" or "amount_too_small" or "invalid_charge_amount", _) => DeclineCode.InvalidAmount,
        _ => DeclineCode.InvalidRequest,
    };

    /// <summary>Stripe's decline codes and card error codes.</summary>
    public static DeclineCode Decline(string code) => code switch
    {
        "authentication_not_handled" or "authentication_required" or "offline_pin_required" or "online_or_offline_pin_required" or "sca_required" => DeclineCode.AuthenticationRequired,
        "payment_intent_authentication_failure" or "mobile_device_authentication_required" or "approve_with_id" => DeclineCode.AuthenticationFailed,
        "card_not_supported" => DeclineCode.CardNotSupported,
        "currency_not_supported" => DeclineCode.CurrencyNotSupported,
        "expired_card" or "invalid_expiry_month" or "invalid_expiry_year" => DeclineCode.ExpiredCard,
        "fraudulent" or "merchant_blacklist" or "highest_risk_level" or "elevated_risk_level" => DeclineCode.Fraudulent,
        "incorrect_cvc" or "invalid_cvc" or "incorrect_pin" or "invalid_pin" or "pin_try_exceeded" => DeclineCode.IncorrectCvc,
        "insufficient_funds" => DeclineCode.InsufficientFunds,
        "incorrect_number" or "invalid_number" or "invalid_account" or "new_account_information_available" => DeclineCode.InvalidAccount,
        "invalid_amount" => DeclineCode.InvalidAmount,
        "issuer_not_available" or "try_again_later" or "reenter_transaction" => DeclineCode.IssuerUnavailable,
        "card_velocity_exceeded" or "withdrawal_count_limit_exceeded" => DeclineCode.LimitExceeded,
        "lost_card" => DeclineCode.LostCard,
        "not_permitted" or "service_not_allowed" or "transaction_not_allowed" or "revocation_of_all_authorizations" or "revocation_of_authorization" or "stop_payment_order"
            or "security_violation" => DeclineCode.NotPermitted,
        "processing_error" => DeclineCode.ProcessingError,
        "pickup_card" or "restricted_card" => DeclineCode.RestrictedCard,
        "stolen_card" => DeclineCode.StolenCard,
        "testmode_decline" or "invalid_request" or "duplicate_transaction" => DeclineCode.InvalidRequest,

        // call_issuer, do_not_honor, generic_decline, no_action_taken, and any new code. A decline with an unknown code is still a decline.
        _ => DeclineCode.DoNotHonor,
    };

    // docs.stripe.com/refunds, "Failed refunds".
    private static DeclineCode RefundFailure(string? reason) => reason switch
    {
        "expired_or_canceled_card" => DeclineCode.ExpiredCard,
        "lost_or_stolen_card" => DeclineCode.LostCard,
        "insufficient_funds" => DeclineCode.InsufficientFunds,
        "merchant_request" => DeclineCode.InvalidRequest,
        "declined" => DeclineCode.DoNotHonor,
        _ => DeclineCode.ProcessingError,
    };

    private static DateTimeOffset? HeldUntil(JsonElement? charge) =>
        charge.Object("payment_method_details").Object("card") is { } card && card.Number("capture_before") is { } seconds and > 0 and < 253_402_300_800
            ? DateTimeOffset.FromUnixTimeSeconds(seconds)
            : null;

    private static CardDetails? Card(JsonElement? method) =>
        method.Object("card") is { } card ? new CardDetails(card.Text("brand"), card.Text("last4"), card.Text("country")) : null;
}
