using Microsoft.Extensions.Logging;

namespace Payments.Domain.Disputes;

internal static partial class DisputeLog
{
    [LoggerMessage(EventId = 6001, Level = LogLevel.Information, Message = "Another transaction was in the way of a batch of disputes; attempt {Attempt} is repeated.")]
    public static partial void Repeated(ILogger logger, int attempt, Exception exception);

    [LoggerMessage(EventId = 6002, Level = LogLevel.Information, Message = "{Matched} of {Looked} unmatched dispute updates found their charge.")]
    public static partial void Matched(ILogger logger, int matched, int looked);
}
