using System.Text.Json;

namespace Payments.Domain.Messaging;

/// <summary>
/// Handles one type of message of one queue. A message may come twice, late, and in any order. If the handler throws, it gets the message
/// again later. After the last try the message becomes a dead letter. The exception's message is kept as the reason, so it must hold no
/// secrets.
/// </summary>
public interface IMessageHandler
{
    string Queue { get; }

    string Type { get; }

    /// <summary>The highest version of the body that this code reads.</summary>
    short Version { get; }

    /// <summary>
    /// How many messages of a batch the handler takes at once. A handler that uses a group commit takes all of them into one transaction.
    /// </summary>
    int Concurrency => 16;

    Task HandleAsync(Message message, CancellationToken ct);
}

/// <summary>A message as a handler gets it, with its complete body.</summary>
public sealed record Message(Guid Id, string Type, short Version, JsonElement Body, DateTimeOffset CreatedAt)
{
    /// <summary>The trace to which the effects of the message belong.</summary>
    public string? TraceParent { get; init; }
}
