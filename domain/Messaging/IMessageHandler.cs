using System.Text.Json;

namespace Payments.Domain.Messaging;

/// <summary>
/// Handles one type of message of one queue. A message may come twice, late, and in any order; what the handler throws makes it come
/// again later, and after the last try puts it among the dead letters. The error's text is kept as the reason: it must hold no secrets.
/// </summary>
public interface IMessageHandler
{
    string Queue { get; }

    string Type { get; }

    /// <summary>The highest version of the body that this code reads.</summary>
    short Version { get; }

    /// <summary>How many messages of a batch it takes at once. One that shares its transaction with the others, by group commit, takes them all.</summary>
    int Concurrency => 16;

    Task HandleAsync(Message message, CancellationToken ct);
}

/// <summary>A message as a handler gets it, its body complete.</summary>
public sealed record Message(Guid Id, string Type, short Version, JsonElement Body, DateTimeOffset CreatedAt)
{
    /// <summary>The trace that what follows from the message belongs to.</summary>
    public string? TraceParent { get; init; }
}
