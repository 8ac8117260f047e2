using Azure.Messaging.ServiceBus;

namespace Payments.Functions.Queues;

/// <summary>The reasons of dead letters, in words for the operator who replays or discards them.</summary>
internal static class DeadLetterReasons
{
    public const string TooManyFailures = "Its handler failed as often as the queue allows; the log says why.";

    public static string Of(ServiceBusReceivedMessage message) => message.DeadLetterReason is { Length: > 0 } reason
        ? message.DeadLetterErrorDescription is { Length: > 0 } description ? $"{reason}: {description}" : reason
        : TooManyFailures;
}
