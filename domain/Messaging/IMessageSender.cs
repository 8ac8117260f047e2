namespace Payments.Domain.Messaging;

/// <summary>A transport. Every message that it reports as sent is durable at the broker.</summary>
public interface IMessageSender
{
    /// <summary>
    /// How long before its due time a message may be sent. The broker keeps it until then. Zero: only due messages are sent.
    /// </summary>
    TimeSpan Ahead => TimeSpan.Zero;

    /// <summary>Sends as many messages as it can. Returns, in order, null for a sent message or the reason why it was not sent.</summary>
    Task<IReadOnlyList<string?>> SendAsync(string queue, IReadOnlyList<MessageEnvelope> messages, CancellationToken ct);
}
