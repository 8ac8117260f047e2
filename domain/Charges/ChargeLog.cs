using Microsoft.Extensions.Logging;
using Payments.Domain.Providers;

namespace Payments.Domain.Charges;

internal static partial class ChargeLog
{
    [LoggerMessage(3001, LogLevel.Error, "The attempt {Attempt} is settled, but the provider now says {Result}: {Detail}. Compare with the provider's records.")]
    public static partial void Contradiction(ILogger log, AttemptId attempt, PaymentResult result, string? detail);

    [LoggerMessage(3002, LogLevel.Warning, "The attempt {Attempt} could not be resolved; it will be asked about again.")]
    public static partial void ResolveFailed(ILogger log, AttemptId attempt, Exception exception);

    [LoggerMessage(3003, LogLevel.Error, "The outcome of the attempt {Attempt} could not be recorded; it is answered as unknown and will be asked about.")]
    public static partial void OutcomeNotRecorded(ILogger log, AttemptId attempt, Exception exception);

    [LoggerMessage(3004, LogLevel.Warning, "The lapsed charge {Charge} could not be ended; it will be looked at again.")]
    public static partial void ExpiryFailed(ILogger log, ChargeId charge, Exception exception);

    [LoggerMessage(3005, LogLevel.Warning, "What became of the lapsed charge {Charge} is not known: {Detail}. It will be looked at again.")]
    public static partial void ExpiryUnclear(ILogger log, ChargeId charge, string? detail);

    [LoggerMessage(3006, LogLevel.Error, "The outcome of the {Operation} {Reference} at {Provider} is unknown since {Since}. Ask the provider and settle it by hand.")]
    public static partial void Overdue(ILogger log, PaymentOperation operation, AttemptReference reference, string provider, DateTimeOffset since);

    [LoggerMessage(3007, LogLevel.Warning, "{Actor} settled the attempt {Attempt} by hand as {Result}: {Reason}")]
    public static partial void SettledByHand(ILogger log, string actor, AttemptId attempt, PaymentResult result, string reason);
}
