using System.Diagnostics;

namespace Payments.Domain.Messaging;

/// <summary>A message to be sent once the transaction that writes it has committed.</summary>
/// <param name="Id">The message's id on every transport, and what consumers recognise a repetition by.</param>
/// <param name="Queue">One of <see cref="QueueNames"/>.</param>
/// <param name="Type">What the body is; a queue may carry several types.</param>
/// <param name="Body">JSON text of any size: what a queue cannot carry is left in the database and sent by reference.</param>
/// <param name="DueAt">Not sent before this time, UTC; any distance ahead is fine.</param>
public sealed record OutboxMessage(Guid Id, string Queue, string Type, string Body, DateTimeOffset CreatedAt, DateTimeOffset DueAt)
{
    /// <summary>Of the body's format. A reader that knows only lower versions puts the message back until it is upgraded.</summary>
    public short Version { get; init; } = 1;

    /// <summary>Messages of one key are handled one at a time and in order where the transport can do so (Service Bus sessions).</summary>
    public string? OrderKey { get; init; }

    /// <inheritdoc cref="DomainEvent.TraceParent"/>
    public string? TraceParent { get; init; } = Activity.Current?.Id;

    public static OutboxMessage New(string queue, string type, string body, DateTimeOffset now, TimeSpan delay = default) =>
        new(Guid.CreateVersion7(now), queue, type, body, now, now + delay);
}
