using Azure.Messaging.ServiceBus;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain.Messaging;

namespace Payments.Functions.Queues;

/// <summary>Submits payouts to the bank. Settings choose the transport, and disable the functions of the other one.</summary>
public sealed class PayoutSubmissionsFunctions(MessageConsumer consumer, DeadLetters deadLetters)
{
    [Function("PayoutSubmissionsFromStorage")]
    public Task FromStorageAsync([QueueTrigger(QueueNames.PayoutSubmissions)] BinaryData message, CancellationToken ct) =>
        consumer.ConsumeAsync(QueueNames.PayoutSubmissions, message.ToMemory(), ct);

    [Function("PayoutSubmissionsPoisonFromStorage")]
    public Task PoisonFromStorageAsync([QueueTrigger(QueueNames.PayoutSubmissions + "-poison")] BinaryData message, CancellationToken ct) =>
        deadLetters.KeepAsync(QueueNames.PayoutSubmissions, message.ToMemory(), DeadLetterReasons.TooManyFailures, ct);

    // One message at a time. Each waits for the bank's answer, and a batch would wait for its slowest message.
    [Function("PayoutSubmissionsFromServiceBus")]
    public Task FromServiceBusAsync(
        [ServiceBusTrigger(QueueNames.PayoutSubmissions, Connection = "ServiceBus")] ServiceBusReceivedMessage message, ServiceBusMessageActions actions, CancellationToken ct) =>
        ServiceBusDelivery.HandleAsync(consumer, QueueNames.PayoutSubmissions, [message], actions, ct);

    [Function("PayoutSubmissionsDeadFromServiceBus")]
    public Task DeadFromServiceBusAsync(
        [ServiceBusTrigger(QueueNames.PayoutSubmissions + "/$deadletterqueue", Connection = "ServiceBus")] ServiceBusReceivedMessage message, CancellationToken ct) =>
        deadLetters.KeepAsync(QueueNames.PayoutSubmissions, message.Body.ToMemory(), DeadLetterReasons.Of(message), ct);
}
