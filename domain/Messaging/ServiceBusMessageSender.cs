using System.Collections.Concurrent;
using Azure.Messaging.ServiceBus;

namespace Payments.Domain.Messaging;

/// <summary>
/// Sends to Service Bus queues in batches. The message id is the outbox's, so that a queue with duplicate detection drops what is
/// sent again after a crash between sending and marking.
/// </summary>
public sealed class ServiceBusMessageSender(ServiceBusClient client) : IMessageSender, IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, Lazy<ServiceBusSender>> _senders = new(StringComparer.Ordinal);

    // Retries and deadlines that are near come at their time though no instance is awake; what is further away stays where it can be seen and
    // counted, in the outbox.
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
                // What comes after would meet the same error.
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
