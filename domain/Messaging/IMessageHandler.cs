using System.Text.Json;

namespace Payments.Domain.Messaging;

/// <summary>
/// Handles one type of message of one queue. A message may come twice, late, and in any order; what the handler throws leaves it on
/// the queue to be tried again, and after the last try among the dead letters.
/// </summary>
public interface IMessageHandler
{
    string Queue { get; }

    string Type { get; }

    /// <summary>The highest version of the body that this code reads.</summary>
    short Version { get; }

    Task HandleAsync(Message message, CancellationToken ct);
}

/// <summary>A message as a handler gets it, its body complete.</summary>
public sealed record Message(Guid Id, string Type, short Version, JsonElement Body, DateTimeOffset CreatedAt)
{
    /// <summary>The trace that what follows from the message belongs to.</summary>
    public string? TraceParent { get; init; }
}
