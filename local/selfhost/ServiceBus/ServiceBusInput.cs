using Azure.Messaging.ServiceBus;
using Microsoft.Azure.Functions.Worker;

namespace Payments.SelfHost.ServiceBus;

/// <summary>What a Service Bus trigger received: one message, or a batch of them, and the ways to settle them.</summary>
internal sealed record ServiceBusInput(
    IReadOnlyList<ServiceBusReceivedMessage> Messages, bool IsBatch, ServiceBusMessageActions Actions, ServiceBusSessionMessageActions? SessionActions)
{
    /// <summary>The message, or the list of them that an array parameter is made from.</summary>
    public object Payload => IsBatch ? Messages : Messages[0];

    public static object? ActionsOf(object? input, Type type) => input is not ServiceBusInput bus
        ? null
        : type == typeof(ServiceBusMessageActions) ? bus.Actions : bus.SessionActions;
}
