using Microsoft.Extensions.Logging;

namespace Payments.Domain.Messaging;

internal static partial class MessagingLog
{
    [LoggerMessage(2001, LogLevel.Warning, "Message {MessageId} of {Queue} could not be sent on try {Attempt} and waits: {Error}")]
    public static partial void SendFailed(ILogger logger, Guid messageId, string queue, int attempt, string error);

    [LoggerMessage(2002, LogLevel.Error, "The outbox relay failed and tries again")]
    public static partial void RelayFailed(ILogger logger, Exception exception);

    [LoggerMessage(2003, LogLevel.Error, "A message of {Queue} went to the dead letters: {Reason}")]
    public static partial void DeadLettered(ILogger logger, string queue, string reason);

    [LoggerMessage(2004, LogLevel.Warning, "Message {MessageId} of {Queue} has version {Version} of {Type}, newer than this code knows; it waits")]
    public static partial void TooNew(ILogger logger, Guid messageId, string queue, string type, int version);

    [LoggerMessage(2005, LogLevel.Error, "Message {MessageId} of {Queue} failed, {Failures} times so far, and comes again in {Pause}")]
    public static partial void HandlingFailed(ILogger logger, Exception exception, Guid messageId, string queue, int failures, TimeSpan pause);

    [LoggerMessage(2006, LogLevel.Warning, "Message {MessageId} of {Queue} failed and could not be sent again for later, so the queue keeps it: {Error}")]
    public static partial void RetryNotSent(ILogger logger, Guid messageId, string queue, string error);

    [LoggerMessage(2007, LogLevel.Error, "A message of {Queue} failed, and so did putting it off; the queue keeps it")]
    public static partial void RetryFailed(ILogger logger, Exception exception, string queue);
}
