using System.Text.Json;

namespace Payments.Domain.Webhooks.Inbound;

public enum ProviderEventStatus
{
    /// <summary>The event is stored and is to be processed.</summary>
    Received,

    /// <summary>Its object is not known yet, so it is tried again.</summary>
    Waiting,

    /// <summary>Its effect is committed.</summary>
    Applied,

    /// <summary>It has no effect. The detail says why. The event is kept.</summary>
    Ignored,

    /// <summary>It could not be applied and is not tried again. An operator may replay it.</summary>
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

/// <summary>
/// A partner's event in this application's neutral words. Each capability has its own type: a payment's outcome, a dispute's update.
/// </summary>
public interface INeutralEvent;

/// <summary>An event that has no effect.</summary>
/// <param name="Reason">Tells operators why the event has no effect.</param>
public sealed record EventIgnored(string Reason) : INeutralEvent;

/// <summary>
/// Translates the events of one provider. It lives in the provider's folder. A provider may have several mappers, and the first that knows
/// an event translates it.
/// </summary>
public interface INeutralEventMapper
{
    string Provider { get; }

    /// <summary>
    /// Null if this mapper does not know the event's type. <see cref="EventIgnored"/> with the reason if the mapper knows that the event
    /// has no effect.
    /// </summary>
    /// <param name="payload">The JSON object that was verified.</param>
    /// <exception cref="FormatException">The type is known, but the payload has the wrong format. The event fails and is kept.</exception>
    INeutralEvent? Map(ProviderEvent received, JsonElement payload);
}

public enum ApplyOutcome
{
    Applied,

    /// <summary>It reported nothing new.</summary>
    Ignored,

    /// <summary>Its object is not known yet.</summary>
    Waiting,

    /// <summary>It contradicts the recorded state. Another try would not help.</summary>
    Failed,
}

/// <param name="Detail">Tells operators which object was not found, or what contradicts.</param>
public readonly record struct ApplyResult(ApplyOutcome Outcome, string? Detail = null);

/// <summary>
/// Applies the neutral events of one capability. Events come late, early, in any order and repeatedly. Applying an event again,
/// or an older one after a newer one, must leave the state as it is. If an applier throws, the queue delivers the event again.
/// </summary>
public interface IProviderEventApplier
{
    bool Applies(INeutralEvent neutral);

    Task<ApplyResult> ApplyAsync(INeutralEvent neutral, CancellationToken ct);
}
