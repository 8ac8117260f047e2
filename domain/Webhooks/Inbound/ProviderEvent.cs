using System.Text.Json;

namespace Payments.Domain.Webhooks.Inbound;

public enum ProviderEventStatus
{
    /// <summary>Stored and to be processed.</summary>
    Received,

    /// <summary>It tells of an object that is not known yet, and is tried again.</summary>
    Waiting,

    /// <summary>Its effect is in place.</summary>
    Applied,

    /// <summary>It has no effect here, and the detail says why. It is kept.</summary>
    Ignored,

    /// <summary>It could not be applied, and will not be by itself; an operator may replay it.</summary>
    Failed,
}

/// <summary>A stored event of a partner.</summary>
public sealed record ProviderEvent(
    Guid Id,
    string Provider,
    string EventId,
    string Type,
    ProviderEventStatus Status,
    int Attempts,
    string? Detail,
    ReadOnlyMemory<byte>? Payload,
    DateTimeOffset ReceivedAt,
    DateTimeOffset? ProcessedAt);

/// <summary>What a partner's event says in this application's own words. Each capability has its own: a payment's outcome, a dispute's update.</summary>
public interface INeutralEvent;

/// <summary>An event that has no effect here.</summary>
/// <param name="Reason">For operators: why not.</param>
public sealed record EventIgnored(string Reason) : INeutralEvent;

/// <summary>
/// Translates events of one provider. Lives in the provider's folder; a provider may have several, and the first that knows an event speaks.
/// </summary>
public interface INeutralEventMapper
{
    string Provider { get; }

    /// <summary>
    /// Null when this mapper does not know the event's type; the reason as <see cref="EventIgnored"/> when it knows that the event has no
    /// effect.
    /// </summary>
    /// <param name="payload">The JSON object that was verified.</param>
    /// <exception cref="FormatException">The type is known, but the payload is not what it should be: the event fails, and is kept.</exception>
    INeutralEvent? Map(ProviderEvent received, JsonElement payload);
}

public enum ApplyOutcome
{
    Applied,

    /// <summary>It told nothing that is not known already.</summary>
    Ignored,

    /// <summary>What it tells of is not known here yet.</summary>
    Waiting,

    /// <summary>It contradicts what is known; trying again would not help.</summary>
    Failed,
}

/// <param name="Detail">For operators: what was not found, or what contradicts.</param>
public readonly record struct ApplyResult(ApplyOutcome Outcome, string? Detail = null);

/// <summary>
/// Brings neutral events of one capability into effect. Events come late, early, in any order and repeatedly: applying one again, or an
/// older one after a newer one, must leave the state as it is. What it throws is tried again by the queue.
/// </summary>
public interface IProviderEventApplier
{
    bool Applies(INeutralEvent neutral);

    Task<ApplyResult> ApplyAsync(INeutralEvent neutral, CancellationToken ct);
}
