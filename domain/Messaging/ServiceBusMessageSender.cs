using System.Collections.Concurrent;
using Azure.Messaging.ServiceBus;

namespace Payments.Domain.Messaging;

/// <summary>
/// Sends to Service Bus queues in batches. The message id comes from the outbox. A queue with duplicate detection therefore drops a message
/// that the relay sends again after a crash between sending and deleting.
/// </summary>
public sealed class ServiceBusMessageSender(ServiceBusClient client) : IMessageSender, IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, Lazy<ServiceBusSender>> _senders = new(StringComparer.Ordinal);

    // Retries and deadlines of the next minutes arrive on time even if no instance is awake.
    // Messages that are due later stay in the outbox, where an operator can see and count them.
    public TimeSpan Ahead => TimeSpan.FromMinutes(5);

    public async Task<IReadOnlyList<string?>> SendAsync(string queue, IReadOnlyList<MessageEnvelope> messages, CancellationToken ct)
    {
        var sender = _senders.GetOrAdd(queue, name => new(() => client.CreateSender(name))).Value;
        var errors = new string?[messages.Count];
        for (var next = 0; next < messages.Count;)
        {
            var first = next;
            try
            {
                using var batch = await sender.CreateMessageBatchAsync(ct);
                while (next < messages.Count && batch.TryAddMessage(Message(messages[next])))
                    next++;
                if (next == first)
                {
                    errors[next++] = "The message is larger than the queue takes.";
                    continue;
                }

                await sender.SendMessagesAsync(batch, ct);
            }
            catch (Exception e) when (e is ServiceBusException or UnauthorizedAccessException or TimeoutException or IOException)
            {
                // The messages after this one would meet the same error.
                Array.Fill(errors, e.Message, first, messages.Count - first);
                return errors;
            }
        }

        return errors;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var sender in _senders.Values.Where(sender => sender.IsValueCreated))
            await sender.Value.DisposeAsync();
    }

    private static ServiceBusMessage Message(MessageEnvelope envelope)
    {
        var message = new ServiceBusMessage(envelope.ToUtf8())
        {
            MessageId = envelope.TransportId,
            ContentType = "application/json",
            Subject = envelope.Type,
        };
        if (envelope.OrderKey is not null)
            message.SessionId = envelope.OrderKey;
        if (envelope.NotBefore is { } until)
            message.ScheduledEnqueueTime = until;
        if (envelope.Traceparent is not null)
            message.ApplicationProperties["Diagnostic-Id"] = envelope.Traceparent;
        return message;
    }
}
