using Microsoft.Extensions.Logging;

namespace Payments.Domain.Messaging;

internal static partial class MessagingLog
{
    [LoggerMessage(2001, LogLevel.Warning,
        "Message {MessageId}: try {TryNumber} to send it to queue {Queue} failed, the outbox relay tries again: {Error}")]
    public static partial void SendFailed(ILogger logger, Guid messageId, string queue, int tryNumber, string error);

    [LoggerMessage(2002, LogLevel.Error, "The outbox relay failed, the next round tries again")]
    public static partial void RelayFailed(ILogger logger, Exception exception);

    [LoggerMessage(2003, LogLevel.Error, "A message of queue {Queue} became a dead letter: {Reason}")]
    public static partial void DeadLettered(ILogger logger, string queue, string reason);

    [LoggerMessage(2004, LogLevel.Warning,
        "Message {MessageId} of queue {Queue}: this instance does not support version {Version} of {MessageType}. "
        + "The outbox sends the message again later.")]
    public static partial void VersionTooNew(ILogger logger, Guid messageId, string queue, string messageType, int version);

    [LoggerMessage(2005, LogLevel.Error,
        "Message {MessageId} of queue {Queue}: the handler failed, {FailureCount} failures so far. "
        + "It gets the message again after {Pause}.")]
    public static partial void HandlerFailed(
        ILogger logger, Exception exception, Guid messageId, string queue, int failureCount, TimeSpan pause);

    [LoggerMessage(2006, LogLevel.Warning,
        "Message {MessageId} of queue {Queue}: the handler failed, and sending the retry failed: {Error}. "
        + "The queue delivers the message again.")]
    public static partial void RetryNotSent(ILogger logger, Guid messageId, string queue, string error);

    [LoggerMessage(2007, LogLevel.Error,
        "A message of queue {Queue} failed, and so did its retry or its dead letter. The queue delivers the message again.")]
    public static partial void RetryFailed(ILogger logger, Exception exception, string queue);
}
