namespace Payments.Local.ServiceBus;

internal sealed class Session(string id)
{
    public string Id { get; } = id;
    public SortedSet<StoredMessage> Ready { get; } = new(MessageStore.BySequence);
    public ConsumerLink? Holder { get; set; }
    public DateTime LockedUntil { get; set; }
    public byte[]? State { get; set; }
}

/// <summary>A receiver that waits for a session: a named one, or whichever has messages.</summary>
internal sealed record SessionWaiter(string? SessionId, ConsumerLink Consumer, TaskCompletionSource Granted, DateTime Until);

/// <summary>The sessions of one entity, who holds them and who waits. The entity's gate guards it.</summary>
internal sealed class SessionTable(TimeSpan lockDuration)
{
    private readonly Dictionary<string, Session> _sessions = [];
    private readonly List<Session> _held = [];
    private readonly LinkedList<SessionWaiter> _waiters = [];

    public IReadOnlyList<Session> Held => _held;

    public IEnumerable<Session> All => _sessions.Values;

    public Session Get(string id) =>
        _sessions.TryGetValue(id, out var session) ? session : _sessions[id] = new Session(id);

    /// <summary>The session that a link holds at this moment; null once its lock was lost.</summary>
    public Session? HeldBy(ConsumerLink consumer) => _held.Find(session => session.Holder == consumer);

    public void Wait(SessionWaiter waiter)
    {
        if (waiter.SessionId is { } id && Get(id).Holder is not null)
            throw BusErrors.SessionCannotBeLocked(id);
        _waiters.AddLast(waiter);
    }

    /// <summary>Grants sessions to waiters in the order they came; the session with the oldest message goes first.</summary>
    public IEnumerable<(SessionWaiter Waiter, Session Session)> Grant(DateTime now)
    {
        for (var node = _waiters.First; node is not null;)
        {
            var (current, next) = (node, node.Next);
            var session = current.Value.SessionId is { } id ? Get(id) : OldestWaiting();
            if (session is { Holder: null })
            {
                _waiters.Remove(current);
                session.Holder = current.Value.Consumer;
                session.LockedUntil = now + lockDuration;
                current.Value.Consumer.SessionId = session.Id;
                _held.Add(session);
                yield return (current.Value, session);
            }
            node = next;
        }
    }

    public void Renew(Session session, DateTime now) => session.LockedUntil = now + lockDuration;

    public void Release(Session session)
    {
        session.Holder = null;
        _held.Remove(session);
    }

    /// <summary>Forgets a session that holds nothing, so that a queue with endless session ids does not grow.</summary>
    public void Prune(Session session)
    {
        if (session is { Holder: null, State: null, Ready.Count: 0 })
            _sessions.Remove(session.Id);
    }

    public SessionWaiter? RemoveWaiter(Func<SessionWaiter, bool> which)
    {
        var waiter = _waiters.FirstOrDefault(which);
        if (waiter is not null)
            _waiters.Remove(waiter);
        return waiter;
    }

    /// <summary>The next time a lock ends or a waiter gives up.</summary>
    public DateTime NextDue()
    {
        var due = DateTime.MaxValue;
        foreach (var session in _held)
            due = session.LockedUntil < due ? session.LockedUntil : due;
        foreach (var waiter in _waiters)
            due = waiter.Until < due ? waiter.Until : due;
        return due;
    }

    private Session? OldestWaiting()
    {
        Session? oldest = null;
        foreach (var session in _sessions.Values)
        {
            if (session.Holder is null && session.Ready.Min is { } first
                && (oldest is null || first.SequenceNumber < oldest.Ready.Min!.SequenceNumber))
                oldest = session;
        }
        return oldest;
    }
}
