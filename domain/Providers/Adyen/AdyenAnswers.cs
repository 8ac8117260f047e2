using System.Globalization;
using System.Text.Json;
using Payments.Domain.Providers.Http;

namespace Payments.Domain.Providers.Adyen;

/// <summary>
/// Translates Adyen's answers. Sources: docs.adyen.com/online-payments/build-your-integration/payment-result-codes,
/// docs.adyen.com/development-resources/refusal-reasons, docs.adyen.com/development-resources/response-handling,
/// docs.adyen.com/development-resources/api-idempotency.
/// </summary>
internal static class AdyenAnswers
{
    /// <param name="captureNow">
    /// Whether the payment was requested with immediate capture. Adyen then captures by itself after the authorization, and reports a
    /// capture only if it fails.
    /// </param>
    public static PaymentAnswer OfPayment(JsonElement payment, bool captureNow)
    {
        var id = payment.Text("pspReference");
        var card = Card(payment.Object("additionalData"));
        return payment.Text("resultCode") switch
        {
            null => PaymentAnswer.Unknown("Adyen's answer is no payment."),
            "Authorised" => new PaymentAnswer(captureNow ? PaymentResult.Succeeded : PaymentResult.Authorized, id, Card: card),
            "Refused" or "Error" or "Cancelled" => Refused(payment.Text("refusalReasonCode"), payment.Text("refusalReason") ?? payment.Text("resultCode"), id) with { Card = card },

            // Only a redirect to Adyen's page works here. An action for a client-side component cannot be shown.
            "RedirectShopper" when payment.Object("action") is { } action && action.Text("method") is null or "GET" =>
                new PaymentAnswer(PaymentResult.RequiresAction, id, RedirectUrl: payment.Object("action").Text("url"), Card: card),
            "Pending" or "Received" => new PaymentAnswer(PaymentResult.Pending, id, Card: card),
            var other => PaymentAnswer.Unknown($"The result '{other}' says nothing of the payment.") with { Reference = id },
        };
    }

    /// <summary>Adyen only acknowledges captures, cancels and refunds. An event reports their outcome.</summary>
    public static PaymentAnswer OfModification(JsonElement modification) =>
        modification.Text("status") is "received" && modification.Text("pspReference") is { } id
            ? new PaymentAnswer(PaymentResult.Pending, id)
            : PaymentAnswer.Unknown("Adyen's answer is no modification.");

    /// <summary>A refusal with a 4xx status.</summary>
    public static PaymentAnswer OfError(ProviderExchange exchange)
    {
        if (ProviderJson.ParseObject(exchange.Body) is not { } error || error.Text("errorType") is not { } type)
            return PaymentAnswer.Unknown($"{exchange.Detail} with a body that is not Adyen's.");
        var code = error.Text("errorCode");
        var detail = $"{code}: {error.Text("message")}";
        return (code, type) switch
        {
            // "Request already processed or in progress" (Adyen error code 704): a request with this key is running, and its outcome is not
            // known.
            ("704", _) => PaymentAnswer.Unknown(detail),
            (_, "security") => PaymentAnswer.NotSent(detail),
            (_, "validation" or "configuration") => PaymentAnswer.Declined(DeclineCode.InvalidRequest, detail, error.Text("pspReference")),
            _ => PaymentAnswer.Unknown(detail),
        };
    }

    /// <summary>Decides by the refusal's number if there is one. Events have only the text.</summary>
    public static PaymentAnswer Refused(string? code, string? reason, string? reference) =>
        PaymentAnswer.Declined(
            int.TryParse(code, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? Decline(number) : Decline(reason), reason is null ? code : $"{code} {reason}".Trim(), reference);

    /// <summary>The numbers of docs.adyen.com/development-resources/refusal-reasons.</summary>
    public static DeclineCode Decline(int refusalReasonCode) => refusalReasonCode switch
    {
        4 or 21 => DeclineCode.ProcessingError,
        5 or 25 => DeclineCode.RestrictedCard,
        6 => DeclineCode.ExpiredCard,
        7 => DeclineCode.InvalidAmount,
        8 or 34 or 35 => DeclineCode.InvalidAccount,
        9 => DeclineCode.IssuerUnavailable,
        10 => DeclineCode.CardNotSupported,
        11 or 15 or 16 or 39 or 42 => DeclineCode.AuthenticationFailed,
        12 => DeclineCode.InsufficientFunds,
        14 or 20 or 22 or 31 => DeclineCode.Fraudulent,
        17 or 18 or 24 => DeclineCode.IncorrectCvc,
        19 or 23 or 26 or 32 or 40 or 41 or 46 => DeclineCode.NotPermitted,
        28 or 29 => DeclineCode.LimitExceeded,
        33 or 36 or 37 or 38 => DeclineCode.AuthenticationRequired,

        // 2 Refused, 3 Referral, 27 Declined non generic, and any new code.
        _ => DeclineCode.DoNotHonor,
    };

    /// <summary>The texts of the same page, as events carry them in <c>reason</c>, regardless of case and spaces.</summary>
    public static DeclineCode Decline(string? refusalReason) => Squeezed(refusalReason) switch
    {
        "acquirererror" or "notsubmitted" or "error" => DeclineCode.ProcessingError,
        "blockedcard" or "restrictedcard" => DeclineCode.RestrictedCard,
        "expiredcard" => DeclineCode.ExpiredCard,
        "invalidamount" => DeclineCode.InvalidAmount,
        "invalidcardnumber" or "nocheckingaccountavailableoncard" or "nosavingsaccountavailableoncard" => DeclineCode.InvalidAccount,
        "issuerunavailable" => DeclineCode.IssuerUnavailable,
        "notsupported" => DeclineCode.CardNotSupported,
        "3dnotauthenticated" or "cancelled" or "shoppercancelled" or "rreqnotreceivedfromds" or "3dsecureauthenticationerror" => DeclineCode.AuthenticationFailed,
        "notenoughbalance" => DeclineCode.InsufficientFunds,
        "acquirerfraud" or "fraud" or "fraudcancelled" or "issuersuspectedfraud" => DeclineCode.Fraudulent,
        "invalidpin" or "pintriesexceeded" or "cvcdeclined" => DeclineCode.IncorrectCvc,
        "pinvalidationnotpossible" or "transactionnotpermitted" or "revocationofauth" or "avsdeclined" => DeclineCode.NotPermitted,
        "withdrawalamountexceeded" or "withdrawalcountexceeded" => DeclineCode.LimitExceeded,
        "authenticationrequired" => DeclineCode.AuthenticationRequired,
        _ => DeclineCode.DoNotHonor,
    };

    /// <summary>
    /// The details of a card that Adyen adds if the account's settings request them: brand, last four digits, issuer's country.
    /// </summary>
    public static CardDetails? Card(JsonElement? additionalData) =>
        additionalData.Text("cardSummary") is { } last4
            ? new CardDetails(additionalData.Text("paymentMethod"), last4, additionalData.Text("cardIssuingCountry") ?? additionalData.Text("issuerCountry"))
            : null;

    private static string Squeezed(string? text) => text is null ? "" : string.Concat(text.Where(char.IsAsciiLetterOrDigit)).ToLowerInvariant();
}
