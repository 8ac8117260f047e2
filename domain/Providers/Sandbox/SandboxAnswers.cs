using System.Net;
using System.Text.Json;

namespace Payments.Domain.Providers.Sandbox;

/// <summary>Translates the sandbox acquirer's answers, from a response, a look-up or an event.</summary>
internal static class SandboxAnswers
{
    public static PaymentAnswer Of(SandboxPayment payment)
    {
        var card = payment.Card is { } c ? new CardDetails(c.Brand, c.Last4, c.Country) : null;
        return payment.Status switch
        {
            "authorized" => new PaymentAnswer(PaymentResult.Authorized, payment.Id, Card: card),
            "captured" => new PaymentAnswer(PaymentResult.Succeeded, payment.Id, Card: card),
            "requires_action" => new PaymentAnswer(PaymentResult.RequiresAction, payment.Id, RedirectUrl: payment.RedirectUrl, Card: card),
            "declined" => new PaymentAnswer(PaymentResult.Declined, payment.Id, Decline(payment.DeclineCode), Card: card, Detail: payment.DeclineCode),
            "canceled" => new PaymentAnswer(PaymentResult.Canceled, payment.Id, Card: card),
            "expired" => new PaymentAnswer(PaymentResult.Expired, payment.Id, Card: card),
            _ => PaymentAnswer.Unknown($"The status '{payment.Status}' says nothing of the operation."),
        };
    }

    public static PaymentAnswer Of(SandboxOperation operation) => operation.Status switch
    {
        "succeeded" => new PaymentAnswer(PaymentResult.Succeeded, operation.Id),
        "pending" => new PaymentAnswer(PaymentResult.Pending, operation.Id),
        "failed" => new PaymentAnswer(PaymentResult.Declined, operation.Id, Decline(operation.FailureCode), Detail: operation.FailureCode),
        _ => PaymentAnswer.Unknown($"The status '{operation.Status}' says nothing of the operation."),
    };

    /// <summary>A refusal with a 4xx status. The acquirer read the request and carried nothing out.</summary>
    public static PaymentAnswer Refused(HttpStatusCode status, byte[] body)
    {
        SandboxErrorDetail? error;
        try
        {
            error = JsonSerializer.Deserialize(body, SandboxJson.Default.SandboxError)?.Error;
        }
        catch (JsonException)
        {
            return PaymentAnswer.Unknown($"HTTP {(int)status} with a body that is not the acquirer's.");
        }

        return error?.Code is null
            ? PaymentAnswer.Unknown($"HTTP {(int)status} without a reason.")
            : PaymentAnswer.Declined(DeclineCode.InvalidRequest, $"{error.Code}: {error.Message}");
    }

    public static DeclineCode Decline(string? code) => code switch
    {
        "authentication_failed" => DeclineCode.AuthenticationFailed,
        "authentication_required" => DeclineCode.AuthenticationRequired,
        "card_not_supported" => DeclineCode.CardNotSupported,
        "card_velocity_exceeded" or "withdrawal_count_limit_exceeded" => DeclineCode.LimitExceeded,
        "currency_not_supported" => DeclineCode.CurrencyNotSupported,
        "expired_card" => DeclineCode.ExpiredCard,
        "fraudulent" => DeclineCode.Fraudulent,
        "incorrect_cvc" => DeclineCode.IncorrectCvc,
        "insufficient_funds" => DeclineCode.InsufficientFunds,
        "incorrect_number" or "invalid_account" => DeclineCode.InvalidAccount,
        "issuer_not_available" or "try_again_later" => DeclineCode.IssuerUnavailable,
        "lost_card" => DeclineCode.LostCard,
        "processing_error" => DeclineCode.ProcessingError,
        "restricted_card" => DeclineCode.RestrictedCard,
        "stolen_card" => DeclineCode.StolenCard,
        "transaction_not_allowed" => DeclineCode.NotPermitted,

        // A provider adds codes without notice. A decline with an unknown code is still a decline.
        _ => DeclineCode.DoNotHonor,
    };
}
