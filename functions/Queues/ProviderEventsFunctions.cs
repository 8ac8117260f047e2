using Azure.Messaging.ServiceBus;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain.Messaging;

namespace Payments.Functions.Queues;

/// <summary>Applies stored provider events. Settings choose the transport, and disable the functions of the other one.</summary>
public sealed class ProviderEventsFunctions(MessageConsumer consumer, DeadLetters deadLetters)
{
    [Function("ProviderEventsFromStorage")]
    public Task FromStorageAsync([QueueTrigger(QueueNames.ProviderEvents)] BinaryData message, CancellationToken ct) =>
        consumer.ConsumeAsync(QueueNames.ProviderEvents, message.ToMemory(), ct);

    [Function("ProviderEventsPoisonFromStorage")]
    public Task PoisonFromStorageAsync([QueueTrigger(QueueNames.ProviderEvents + "-poison")] BinaryData message, CancellationToken ct) =>
        deadLetters.KeepAsync(QueueNames.ProviderEvents, message.ToMemory(), DeadLetterReasons.TooManyFailures, ct);

    [Function("ProviderEventsFromServiceBus")]
    public Task FromServiceBusAsync(
        [ServiceBusTrigger(QueueNames.ProviderEvents, Connection = "ServiceBus", IsBatched = true)] ServiceBusReceivedMessage[] messages,
        ServiceBusMessageActions actions,
        CancellationToken ct) =>
        ServiceBusDelivery.HandleAsync(consumer, QueueNames.ProviderEvents, messages, actions, ct);

    [Function("ProviderEventsDeadFromServiceBus")]
    public Task DeadFromServiceBusAsync(
        [ServiceBusTrigger(QueueNames.ProviderEvents + "/$deadletterqueue", Connection = "ServiceBus")] ServiceBusReceivedMessage message, CancellationToken ct) =>
        deadLetters.KeepAsync(QueueNames.ProviderEvents, message.Body.ToMemory(), DeadLetterReasons.Of(message), ct);
}
