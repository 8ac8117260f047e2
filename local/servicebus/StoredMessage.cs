namespace Payments.Local.ServiceBus;

internal enum MessageState { New, Scheduled, Ready, Locked, Deferred, DeferredLocked, Gone }

/// <summary>One message of one entity: the bytes as they were sent, and what the broker knows about them.</summary>
internal sealed class StoredMessage
{
    /// <summary>The encoded message. Every delivery decodes it anew, because the client's library pools its buffers.</summary>
    public required byte[] Bytes { get; set; }

    public required DateTime EnqueuedAt { get; set; }
    public long SequenceNumber { get; set; }

    /// <summary>The number at first arrival: kept when a scheduled or dead-lettered message gets a new sequence number.</summary>
    public long EnqueuedSequenceNumber { get; set; }

    public DateTime? ScheduledFor { get; set; }
    public DateTime? ExpiresAt { get; set; }
    public int FailedDeliveries { get; set; }
    public string? MessageId { get; init; }
    public string? SessionId { get; init; }
    public string? DeadLetterSource { get; init; }

    // Only the store changes these three, so that its indexes stay true.
    public MessageState State { get; set; }
    public Guid LockToken { get; set; }

    /// <summary>When the state ends by itself: the schedule's time, the lock's end or the expiry; MaxValue if it does not.</summary>
    public DateTime WakeAt { get; set; } = DateTime.MaxValue;

    /// <summary>The end of the lock that receivers are told; in a session it is the session's.</summary>
    public DateTime LockedUntil { get; set; }

    public static StoredMessage Probe(long sequenceNumber) =>
        new() { Bytes = [], EnqueuedAt = DateTime.MinValue, SequenceNumber = sequenceNumber };
}
