using Microsoft.Azure.Amqp;
using Microsoft.Azure.Amqp.Framing;

namespace Payments.Local.ServiceBus;

/// <summary>From bytes on the wire to stored messages and back.</summary>
internal static class MessageCodec
{
    /// <summary>The message format of a batch: every data section is one encoded message.</summary>
    private const uint BatchFormat = 0x80013700;

    public static byte[][] Split(AmqpMessage transfer) =>
        transfer.MessageFormat == BatchFormat
            ? [.. transfer.DataBody.Select(data => ((ArraySegment<byte>)data.Value).ToArray())]
            : [CopyOf(transfer)];

    /// <summary>Reads what the broker must know of a message: ids, its schedule and its life.</summary>
    public static StoredMessage Parse(byte[] bytes, QueueOptions options, DateTime now)
    {
        using var message = Decode(bytes);
        DateTime? scheduledFor =
            message.MessageAnnotations.Map.TryGetValue<DateTime>("x-opt-scheduled-enqueue-time", out var at) && at > now ? at : null;
        TimeSpan? life = message.Header.Ttl is { } milliseconds ? TimeSpan.FromMilliseconds(milliseconds) : null;
        if (options.DefaultTimeToLive is { } longest && (life is null || life > longest))
            life = longest;
        return new StoredMessage
        {
            Bytes = bytes,
            EnqueuedAt = now,
            MessageId = message.Properties?.MessageId?.ToString(),
            SessionId = message.Properties?.GroupId,
            ScheduledFor = scheduledFor,
            ExpiresAt = (scheduledFor ?? now) + life,
        };
    }

    /// <summary>A fresh message for one delivery or one peek, with the broker's annotations.</summary>
    public static AmqpMessage ForDelivery(StoredMessage stored, bool locked)
    {
        var message = Decode(stored.Bytes);
        message.Header.DeliveryCount = (uint)stored.FailedDeliveries;
        var annotations = message.MessageAnnotations.Map;
        annotations["x-opt-sequence-number"] = stored.SequenceNumber;
        annotations["x-opt-enqueue-sequence-number"] = stored.EnqueuedSequenceNumber;
        annotations["x-opt-enqueued-time"] = stored.EnqueuedAt;
        annotations["x-opt-message-state"] = WireState(stored.State);
        if (locked)
            annotations["x-opt-locked-until"] = stored.LockedUntil;
        if (stored.DeadLetterSource is { } source)
            annotations["x-opt-deadletter-source"] = source;
        return message;
    }

    /// <summary>The message with application properties added or replaced, as abandon, defer and dead-letter may do.</summary>
    public static byte[] WithProperties(byte[] bytes, IReadOnlyDictionary<string, object?> properties)
    {
        using var message = Decode(bytes);
        if ((message.Sections & SectionFlag.ApplicationProperties) == 0)
            message.ApplicationProperties = new ApplicationProperties();
        foreach (var (name, value) in properties)
            message.ApplicationProperties.Map[name] = value;
        return Encode(message);
    }

    public static byte[] Encode(AmqpMessage message)
    {
        using var buffer = new MemoryStream();
        foreach (var segment in message.GetPayload())
            buffer.Write(segment);
        return buffer.ToArray();
    }

    private static AmqpMessage Decode(byte[] bytes) =>
        AmqpMessage.CreateAmqpStreamMessage(new BufferListStream([new ArraySegment<byte>(bytes)]));

    /// <summary>Received messages live in pooled buffers, which are reused as soon as the message is disposed.</summary>
    private static byte[] CopyOf(AmqpMessage message)
    {
        using var copy = new MemoryStream();
        using var payload = (Stream)((BufferListStream)message.ToStream()).Clone();
        payload.CopyTo(copy);
        return copy.ToArray();
    }

    private static int WireState(MessageState state) => state switch
    {
        MessageState.New or MessageState.Ready or MessageState.Locked or MessageState.Gone => 0,
        MessageState.Deferred or MessageState.DeferredLocked => 1,
        MessageState.Scheduled => 2,
    };
}
