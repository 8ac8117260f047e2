namespace Payments.Domain.Messaging;

/// <summary>A transport. Every message it says it sent is durable at the broker.</summary>
public interface IMessageSender
{
    /// <summary>How long before a message is due it may be handed over: the broker keeps it until then. Zero: only what is due is sent.</summary>
    TimeSpan Ahead => TimeSpan.Zero;

    /// <summary>Sends as many as it can and answers, in order, null for a message that was sent or the reason why it was not.</summary>
    Task<IReadOnlyList<string?>> SendAsync(string queue, IReadOnlyList<MessageEnvelope> messages, CancellationToken ct);
}
