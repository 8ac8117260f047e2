namespace Payments.Local.ServiceBus;

/// <summary>The settings of a queue or of a topic's subscription, with the defaults of the service's own portal.</summary>
public sealed record QueueOptions
{
    /// <summary>How long a receiver owns a message, or a session, before it is offered to others. Renewal starts it anew.</summary>
    public TimeSpan LockDuration { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Failed deliveries after which a message goes to the dead-letter queue; at least 1.</summary>
    public int MaxDeliveryCount { get; init; } = 10;

    /// <summary>A message id seen within this time is accepted and dropped. Null: every send is stored.</summary>
    public TimeSpan? DuplicateWindow { get; init; }

    /// <summary>Every message carries a session id, and is received only by the holder of that session.</summary>
    public bool RequiresSession { get; init; }

    /// <summary>Expired messages are kept in the dead-letter queue instead of being dropped.</summary>
    public bool DeadLetterOnExpiry { get; init; }

    /// <summary>The longest life of a message; a shorter one of its own wins. Null: no limit.</summary>
    public TimeSpan? DefaultTimeToLive { get; init; }
}
