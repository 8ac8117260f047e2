using System.Diagnostics;

namespace Payments.Domain.Messaging;

/// <summary>A message that the relay sends after the transaction that writes it has committed.</summary>
/// <param name="Id">The message's id on every transport, by which consumers recognise a repetition.</param>
/// <param name="Queue">One of <see cref="QueueNames"/>.</param>
/// <param name="Type">The type of the body. A queue may carry several types.</param>
/// <param name="Body">
/// JSON text of any size. A body that is too large for a queue stays in the database, and the message carries only its id.
/// </param>
/// <param name="DueAt">The relay does not deliver the message before this time (UTC), however far ahead it is.</param>
public sealed record OutboxMessage(Guid Id, string Queue, string Type, string Body, DateTimeOffset CreatedAt, DateTimeOffset DueAt)
{
    /// <summary>
    /// The version of the body's format. An instance that knows only lower versions puts the message back until it is upgraded.
    /// </summary>
    public short Version { get; init; } = 1;

    /// <summary>
    /// Consumers handle the messages of one key one at a time and in order, if the transport can do so (Service Bus sessions).
    /// </summary>
    public string? OrderKey { get; init; }

    /// <inheritdoc cref="DomainEvent.TraceParent"/>
    public string? TraceParent { get; init; } = Activity.Current?.Id;

    public static OutboxMessage New(string queue, string type, string body, DateTimeOffset now, TimeSpan delay = default) =>
        new(Guid.CreateVersion7(now), queue, type, body, now, now + delay);
}
