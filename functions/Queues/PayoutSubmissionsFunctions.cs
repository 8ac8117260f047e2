using Azure.Messaging.ServiceBus;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain.Messaging;

namespace Payments.Functions.Queues;

/// <summary>Payouts to be handed to the bank. Settings choose the transport: the functions of the other one are disabled.</summary>
public sealed class PayoutSubmissionsFunctions(MessageConsumer consumer, DeadLetters deadLetters)
{
    [Function("PayoutSubmissionsFromStorage")]
    public Task FromStorageAsync([QueueTrigger(QueueNames.PayoutSubmissions)] BinaryData message, CancellationToken ct) =>
        consumer.ConsumeAsync(QueueNames.PayoutSubmissions, message.ToMemory(), ct);

    [Function("PayoutSubmissionsPoisonFromStorage")]
    public Task PoisonFromStorageAsync([QueueTrigger(QueueNames.PayoutSubmissions + "-poison")] BinaryData message, CancellationToken ct) =>
        deadLetters.KeepAsync(QueueNames.PayoutSubmissions, message.ToMemory(), DeadLetterReasons.TooManyFailures, ct);

    // One at a time: each waits for the bank's answer, and a batch would wait for its slowest.
    [Function("PayoutSubmissionsFromServiceBus")]
    public Task FromServiceBusAsync(
        [ServiceBusTrigger(QueueNames.PayoutSubmissions, Connection = "ServiceBus")] ServiceBusReceivedMessage message, ServiceBusMessageActions actions, CancellationToken ct) =>
        ServiceBusDelivery.HandleAsync(consumer, QueueNames.PayoutSubmissions, [message], actions, ct);

    [Function("PayoutSubmissionsDeadFromServiceBus")]
    public Task DeadFromServiceBusAsync(
        [ServiceBusTrigger(QueueNames.PayoutSubmissions + "/$deadletterqueue", Connection = "ServiceBus")] ServiceBusReceivedMessage message, CancellationToken ct) =>
        deadLetters.KeepAsync(QueueNames.PayoutSubmissions, message.Body.ToMemory(), DeadLetterReasons.Of(message), ct);
}
