using Microsoft.Extensions.Logging;
using Payments.Domain.Providers;

namespace Payments.Domain.Charges;

internal static partial class ChargeLog
{
    [LoggerMessage(3001, LogLevel.Error,
        "Attempt {AttemptId}: provider reported {ReportedResult}, which contradicts the recorded outcome: {Detail}. "
        + "Compare with the provider's records.")]
    public static partial void Contradiction(ILogger log, AttemptId attemptId, PaymentResult reportedResult, string? detail);

    [LoggerMessage(3002, LogLevel.Warning, "Attempt {AttemptId}: the resolver failed, it asks the provider again later")]
    public static partial void ResolveFailed(ILogger log, AttemptId attemptId, Exception exception);

    [LoggerMessage(3003, LogLevel.Error,
        "Attempt {AttemptId}: recording the outcome failed. The answer asks the caller to repeat the request. "
        + "The resolver asks the provider.")]
    public static partial void OutcomeNotRecorded(ILogger log, AttemptId attemptId, Exception exception);

    [LoggerMessage(3004, LogLevel.Warning, "Charge {ChargeId} lapsed, but ending it failed. The timer tries again later.")]
    public static partial void ExpiryFailed(ILogger log, ChargeId chargeId, Exception exception);

    [LoggerMessage(3005, LogLevel.Warning,
        "Charge {ChargeId} lapsed, but the provider did not report how it ended: {Detail}. The timer asks again later.")]
    public static partial void ExpiryUnknown(ILogger log, ChargeId chargeId, string? detail);

    [LoggerMessage(3006, LogLevel.Error,
        "Attempt {AttemptReference} ({Operation} at provider {Provider}) has had no final outcome since {CreatedAt}. "
        + "Ask the provider and settle the attempt by hand.")]
    public static partial void Overdue(
        ILogger log, PaymentOperation operation, AttemptReference attemptReference, string provider, DateTimeOffset createdAt);

    [LoggerMessage(3007, LogLevel.Warning, "{Actor} settled attempt {AttemptId} by hand as {Result}: {Reason}")]
    public static partial void SettledByHand(ILogger log, string actor, AttemptId attemptId, PaymentResult result, string reason);
}
