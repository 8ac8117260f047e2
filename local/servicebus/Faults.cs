using System.Collections.Concurrent;
using Microsoft.Azure.Amqp.Framing;

namespace Payments.Local.ServiceBus;

/// <summary>The operations of a client at which a fault can be placed.</summary>
public enum BusOperation
{
    /// <summary>One transfer to an entity: a message or a batch.</summary>
    Send,

    /// <summary>Complete, abandon, defer or dead-letter on the receiver's own link.</summary>
    Settle,

    /// <summary>A request to the entity's management node: renewals, peeks, schedules, deferred messages, session state.</summary>
    Manage,
}

public enum FaultKind { None, Reject, DropConnection, LoseAcknowledgement }

/// <summary>What goes wrong with one operation.</summary>
public readonly record struct Fault(FaultKind Kind, TimeSpan Delay = default, string? Condition = null, string? Description = null)
{
    public static Fault None => default;

    /// <summary>The operation has no effect and is answered with an error.</summary>
    public static Fault Reject(string condition, string description) => new(FaultKind.Reject, default, condition, description);

    /// <summary>The service asks for patience. The client waits about 10 s before it tries again.</summary>
    public static Fault Throttle => Reject(BusErrors.ServerBusyCondition.Value, "The request was throttled.");

    /// <summary>The connection ends before the operation has any effect.</summary>
    public static Fault DropConnection => new(FaultKind.DropConnection);

    /// <summary>The operation takes effect, and the connection ends before the answer: the client cannot know.</summary>
    public static Fault LoseAcknowledgement => new(FaultKind.LoseAcknowledgement);

    /// <summary>The operation waits, then goes through.</summary>
    public static Fault DelayBy(TimeSpan delay) => new(FaultKind.None, delay);

    internal Error ToError() => new() { Condition = Condition, Description = Description };
}

/// <summary>Faults that tests place: the next n operations on an entity, or a decision for each operation.</summary>
public sealed class Faults
{
    private readonly ConcurrentQueue<(string Entity, BusOperation Operation, Fault Fault)> _armed = new();
    private readonly Lock _gate = new();
    private long _injected;

    /// <summary>Asked for each operation without an armed fault, from many threads at once: entity and operation.</summary>
    public Func<string, BusOperation, Fault>? Inject { get; set; }

    /// <summary>Faults that have happened.</summary>
    public long Injected => Interlocked.Read(ref _injected);

    /// <summary>Places a fault at the next operations of this kind on this entity.</summary>
    public void Arm(string entity, BusOperation operation, Fault fault, int times = 1)
    {
        for (var i = 0; i < times; i++)
            _armed.Enqueue((entity, operation, fault));
    }

    internal Fault Take(string entity, BusOperation operation)
    {
        var fault = TakeArmed(entity, operation) ?? Inject?.Invoke(entity, operation) ?? Fault.None;
        if (fault != Fault.None)
            Interlocked.Increment(ref _injected);
        return fault;
    }

    private Fault? TakeArmed(string entity, BusOperation operation)
    {
        if (_armed.IsEmpty)
            return null;
        // Others' faults go round to the back; the gate keeps a second taker from seeing the queue half turned.
        lock (_gate)
        {
            Fault? found = null;
            for (var left = _armed.Count; left > 0 && _armed.TryDequeue(out var next); left--)
            {
                if (found is null && next.Operation == operation && string.Equals(next.Entity, entity, StringComparison.OrdinalIgnoreCase))
                    found = next.Fault;
                else
                    _armed.Enqueue(next);
            }
            return found;
        }
    }
}
