using Azure.Messaging.ServiceBus;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain.Messaging;

namespace Payments.Functions.Queues;

/// <summary>
/// Handles the events that webhook endpoints want. Settings choose the transport, and disable the functions of the other one.
/// </summary>
public sealed class WebhookDeliveriesFunctions(MessageConsumer consumer, DeadLetters deadLetters)
{
    [Function("WebhookDeliveriesFromStorage")]
    public Task FromStorageAsync([QueueTrigger(QueueNames.WebhookDeliveries)] BinaryData message, CancellationToken ct) =>
        consumer.ConsumeAsync(QueueNames.WebhookDeliveries, message.ToMemory(), ct);

    [Function("WebhookDeliveriesPoisonFromStorage")]
    public Task PoisonFromStorageAsync([QueueTrigger(QueueNames.WebhookDeliveries + "-poison")] BinaryData message, CancellationToken ct) =>
        deadLetters.KeepAsync(QueueNames.WebhookDeliveries, message.ToMemory(), DeadLetterReasons.TooManyFailures, ct);

    [Function("WebhookDeliveriesFromServiceBus")]
    public Task FromServiceBusAsync(
        [ServiceBusTrigger(QueueNames.WebhookDeliveries, Connection = "ServiceBus", IsBatched = true)] ServiceBusReceivedMessage[] messages,
        ServiceBusMessageActions actions,
        CancellationToken ct) =>
        ServiceBusDelivery.HandleAsync(consumer, QueueNames.WebhookDeliveries, messages, actions, ct);

    [Function("WebhookDeliveriesDeadFromServiceBus")]
    public Task DeadFromServiceBusAsync(
        [ServiceBusTrigger(QueueNames.WebhookDeliveries + "/$deadletterqueue", Connection = "ServiceBus")] ServiceBusReceivedMessage message, CancellationToken ct) =>
        deadLetters.KeepAsync(QueueNames.WebhookDeliveries, message.Body.ToMemory(), DeadLetterReasons.Of(message), ct);
}
