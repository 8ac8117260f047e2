using Microsoft.Azure.Amqp;
using Microsoft.Azure.Amqp.Encoding;

namespace Payments.Local.ServiceBus;

/// <summary>The refusals of the service, by the condition the client recognises.</summary>
internal static class BusErrors
{
    public static readonly AmqpSymbol ServerBusyCondition = "com.microsoft:server-busy";
    private static readonly AmqpSymbol MessageLockLostCondition = "com.microsoft:message-lock-lost";
    private static readonly AmqpSymbol SessionLockLostCondition = "com.microsoft:session-lock-lost";
    private static readonly AmqpSymbol MessageNotFoundCondition = "com.microsoft:message-not-found";

    public static AmqpException EntityNotFound(string name) =>
        new(AmqpErrorCode.NotFound, $"The messaging entity 'sb://localhost/{name}' could not be found.");

    public static AmqpException MessageLockLost() =>
        new(MessageLockLostCondition, "The lock supplied is invalid: it expired, or the message has been removed from the queue.");

    public static AmqpException SessionLockLost() => new(SessionLockLostCondition, "The session lock has expired.");

    public static AmqpException MessageNotFound(long sequenceNumber) =>
        new(MessageNotFoundCondition, $"No message with sequence number {sequenceNumber} is in the state this operation needs.");

    public static AmqpException SessionCannotBeLocked(string id) =>
        new("com.microsoft:session-cannot-be-locked", $"The session '{id}' is locked by another receiver.");

    public static AmqpException Timeout() =>
        new("com.microsoft:timeout", "The operation did not complete within the time allotted.");

    public static AmqpException NotAllowed(string why) => new(AmqpErrorCode.NotAllowed, why);

    public static AmqpException NotImplemented(string what) => new(AmqpErrorCode.NotImplemented, what);

    /// <summary>The status of a reply to a request that failed; the client reads the condition first.</summary>
    public static int StatusOf(AmqpSymbol condition)
    {
        if (condition.Equals(AmqpErrorCode.NotFound) || condition.Equals(MessageNotFoundCondition))
            return 404;
        if (condition.Equals(MessageLockLostCondition) || condition.Equals(SessionLockLostCondition))
            return 410;
        if (condition.Equals(ServerBusyCondition))
            return 503;
        if (condition.Equals(AmqpErrorCode.NotImplemented))
            return 501;
        return condition.Equals(AmqpErrorCode.NotAllowed) ? 400 : 500;
    }
}
