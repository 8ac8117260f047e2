using Microsoft.Azure.Amqp;
using Microsoft.Azure.Amqp.Framing;

namespace Payments.Local.ServiceBus;

/// <summary>How a receiver gives a message back.</summary>
internal enum Settlement { Complete, Abandon, Defer, DeadLetter, Release }

/// <summary>
/// A queue, a subscription or a dead-letter queue: its messages, its receivers, and what time does to both. One gate guards
/// everything. A source's gate may be held while its dead-letter queue's is taken, never the other way round.
/// </summary>
internal sealed class Entity : IDisposable
{
    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(1);

    private readonly QueueOptions _options;
    private readonly Entity? _deadLetters;
    private readonly TimeProvider _time;
    private readonly AppendLog? _log;
    private readonly Faults _faults;
    private readonly Lock _gate = new();
    private readonly LogFrame _changes = new();
    private readonly MessageStore _store;
    private readonly SortedSet<StoredMessage> _ready = new(MessageStore.BySequence);
    private readonly SessionTable? _sessions;
    private readonly DuplicateDetection? _duplicateDetection;
    private readonly List<ConsumerLink> _consumers = [];
    private readonly ITimer _timer;
    private DateTime _timerAt = DateTime.MaxValue;
    private int _turn;
    private long _lastSequenceNumber, _stored, _duplicates, _deliveries, _completed;

    public Entity(string name, QueueOptions options, Entity? deadLetters, TimeProvider time, AppendLog? log, Faults faults)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxDeliveryCount, 1);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(options.LockDuration, TimeSpan.Zero);
        Name = name;
        _options = options;
        _deadLetters = deadLetters;
        _time = time;
        _log = log;
        _faults = faults;
        _sessions = options.RequiresSession ? new SessionTable(options.LockDuration) : null;
        _duplicateDetection = options.DuplicateWindow is { } window ? new DuplicateDetection(window) : null;
        _store = new MessageStore(message => _sessions is null ? _ready : _sessions.Get(message.SessionId!).Ready);
        _timer = time.CreateTimer(_ => OnTimer(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        if (log is not null && log.Recovered.TryGetValue(name, out var recovered))
            Restore(recovered);
    }

    public string Name { get; }

    private DateTime Now => _time.GetUtcNow().UtcDateTime;

    public EntityCounts Counts
    {
        get
        {
            lock (_gate)
            {
                Settled();
                return new EntityCounts(
                    _store.CountOf(MessageState.Ready),
                    _store.CountOf(MessageState.Locked) + _store.CountOf(MessageState.DeferredLocked),
                    _store.CountOf(MessageState.Deferred),
                    _store.CountOf(MessageState.Scheduled),
                    _stored, _duplicates, _deliveries, _completed);
            }
        }
    }

    public void Dispose()
    {
        _timer.Dispose();
        lock (_gate)
            _changes.Dispose();
    }

    // Intake.

    /// <summary>Stores all messages or, if one is not acceptable, none. A duplicate gets the sequence number 0.</summary>
    public long[] Enqueue(IReadOnlyList<byte[]> messages)
    {
        lock (_gate)
        {
            var now = Now;
            if (_deadLetters is null)
                throw BusErrors.NotAllowed("Messages cannot be sent to a dead-letter queue.");
            var parsed = messages.Select(bytes => MessageCodec.Parse(bytes, _options, now)).ToList();
            if (_sessions is not null && parsed.Exists(message => message.SessionId is null))
                throw BusErrors.NotAllowed("The session id was not set on a message, and the entity requires sessions.");
            CatchUp(now);
            var numbers = parsed.ConvertAll(message => Accept(message, now)).ToArray();
            Settled();
            return numbers;
        }
    }

    private long Accept(StoredMessage message, DateTime now)
    {
        if (_duplicateDetection is not null && message.MessageId is { } id)
        {
            if (!_duplicateDetection.TryAccept(id, now, out var until))
            {
                _duplicates++;
                return 0;
            }
            _changes.SeenId(Name, id, until);
        }
        Insert(message, _changes);
        return message.SequenceNumber;
    }

    private void Insert(StoredMessage message, LogFrame changes)
    {
        message.SequenceNumber = ++_lastSequenceNumber;
        if (message.EnqueuedSequenceNumber == 0)
            message.EnqueuedSequenceNumber = message.SequenceNumber;
        _stored++;
        if (message.ScheduledFor is { } at)
            _store.Move(message, MessageState.Scheduled, at);
        else
            MakeReady(message);
        changes.Put(Name, message);
    }

    private void MakeReady(StoredMessage message) =>
        _store.Move(message, MessageState.Ready, message.ExpiresAt ?? DateTime.MaxValue);

    private void Restore(RecoveredEntity recovered)
    {
        lock (_gate)
        {
            _lastSequenceNumber = recovered.LastSequenceNumber;
            foreach (var (id, until) in recovered.SeenIds)
                _duplicateDetection?.Restore(id, until);
            foreach (var (session, state) in recovered.SessionStates)
                _sessions?.Get(session).State = state;
            foreach (var message in recovered.Messages.Values)
            {
                var deferred = message.State == MessageState.Deferred;
                message.State = MessageState.New;
                if (deferred)
                    _store.Move(message, MessageState.Deferred, DateTime.MaxValue);
                else if (message.ScheduledFor is { } at)
                    _store.Move(message, MessageState.Scheduled, at);
                else
                    MakeReady(message);
            }
            ArmTimer();
        }
    }

    // Receivers.

    /// <summary>Completes when the link may open: at once, or when the session it asks for is granted.</summary>
    public Task AttachAsync(SendingAmqpLink link)
    {
        var wanted = SessionProtocol.Read(link);
        if (wanted.IsSession != _options.RequiresSession)
            throw BusErrors.NotAllowed(_options.RequiresSession
                ? "An entity that requires sessions has only session receivers."
                : "An entity without sessions has no session receivers.");
        var consumer = new ConsumerLink(link);
        link.RegisterCreditListener((_, drain, _) => OnCredit(consumer, drain));
        link.RegisterDispositionListener(delivery => OnDisposition(consumer, delivery));
        link.Opened += (_, _) => Add(consumer);
        link.Closed += (_, _) => Detach(consumer);
        if (_sessions is null)
            return Task.CompletedTask;

        var granted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            var now = Now;
            CatchUp(now);
            _sessions.Wait(new SessionWaiter(wanted.SessionId, consumer, granted, now + wanted.Timeout));
            Settled();
        }
        return granted.Task;
    }

    private void Add(ConsumerLink consumer)
    {
        lock (_gate)
        {
            _consumers.Add(consumer);
            Settled();
        }
    }

    private void Detach(ConsumerLink consumer)
    {
        lock (_gate)
        {
            _consumers.Remove(consumer);
            if (_sessions?.RemoveWaiter(waiter => waiter.Consumer == consumer) is { } waiter)
                waiter.Granted.TrySetException(BusErrors.Timeout());
            if (_sessions?.HeldBy(consumer) is { } session)
                ReleaseSession(session);
            Settled();
        }
    }

    private void OnCredit(ConsumerLink consumer, bool drain)
    {
        lock (_gate)
        {
            consumer.Drained = false;
            Settled();
            // The library answers a drain when this returns; nothing may use the credit it is about to give back.
            consumer.Drained = drain;
        }
    }

    private void Pump()
    {
        if (_sessions is not null)
        {
            PumpSessions(_sessions);
            return;
        }
        for (var passed = 0; passed < _consumers.Count && _ready.Min is { } message;)
        {
            _turn = (_turn + 1) % _consumers.Count;
            var consumer = _consumers[_turn];
            if (consumer.HasCredit)
            {
                passed = 0;
                Deliver(consumer, message, session: null);
            }
            else
            {
                passed++;
            }
        }
    }

    private void PumpSessions(SessionTable sessions)
    {
        foreach (var (waiter, session) in sessions.Grant(Now))
        {
            SessionProtocol.Grant(waiter.Consumer.Link, session);
            waiter.Granted.TrySetResult();
        }
        foreach (var session in sessions.Held.ToArray())
        {
            while (session.Ready.Min is { } message && session.Holder is { HasCredit: true } holder)
                Deliver(holder, message, session);
        }
    }

    private void Deliver(ConsumerLink consumer, StoredMessage message, Session? session)
    {
        var token = Guid.CreateVersion7(_time.GetUtcNow());
        _deliveries++;
        if (consumer.PeekLock)
        {
            message.LockedUntil = session?.LockedUntil ?? Now + _options.LockDuration;
            // In a session the session's lock is the only one that ends.
            _store.Move(message, MessageState.Locked, session is null ? message.LockedUntil : DateTime.MaxValue, token);
        }
        else
        {
            Complete(message);
        }
        consumer.Link.SendMessageNoWait(
            MessageCodec.ForDelivery(message, consumer.PeekLock), new ArraySegment<byte>(token.ToByteArray()), AmqpConstants.NullBinary);
    }

    // Settlement.

    private void OnDisposition(ConsumerLink consumer, Delivery delivery)
    {
        if (!consumer.PeekLock)
            return;

        // A receiver that locks messages waits for an answer to whatever it decides, and settles by itself only what it gives back unread. The state does not tell: when that word is here
        // before the library has done with sending, the library writes "accepted" over it and calls once more.
        var state = delivery.Settled ? AmqpConstants.ReleasedOutcome : delivery.State;
        var fault = _faults.Take(Name, BusOperation.Settle);
        if (fault.Delay > TimeSpan.Zero)
            _ = SettleLaterAsync(consumer, delivery, state, fault);
        else
            Settle(consumer, delivery, state, fault);
    }

    private async Task SettleLaterAsync(ConsumerLink consumer, Delivery delivery, DeliveryState state, Fault fault)
    {
        await Task.Delay(fault.Delay, _time);
        Settle(consumer, delivery, state, fault);
    }

    private void Settle(ConsumerLink consumer, Delivery delivery, DeliveryState state, Fault fault)
    {
        if (fault.Kind == FaultKind.DropConnection)
        {
            Broker.Drop(consumer.Link.Session.Connection);
            return;
        }
        var answer = fault.Kind == FaultKind.Reject ? new Rejected { Error = fault.ToError() } : Apply(consumer, delivery, state);
        if (fault.Kind == FaultKind.LoseAcknowledgement)
            Broker.Drop(consumer.Link.Session.Connection);
        else if (!delivery.Settled)
            consumer.Link.DisposeDelivery(delivery, true, answer);
    }

    private DeliveryState Apply(ConsumerLink consumer, Delivery delivery, DeliveryState state)
    {
        Settlement? settlement = state switch
        {
            Accepted => Settlement.Complete,
            Released => Settlement.Release,
            Modified { UndeliverableHere: true } => Settlement.Defer,
            Modified => Settlement.Abandon,
            Rejected => Settlement.DeadLetter,
            _ => null,
        };
        if (settlement is not { } known)
            return new Rejected { Error = BusErrors.NotImplemented($"The outcome {state} is not known.").Error };
        var properties = state switch
        {
            Modified modified => Properties(modified.MessageAnnotations),
            Rejected rejected => Properties(rejected.Error?.Info),
            _ => null,
        };
        if (TrySettle([new Guid(delivery.DeliveryTag.AsSpan())], known, properties))
            // The client reads an error in the answer to its own dead-lettering as a failure, so that one goes back empty.
            return known == Settlement.DeadLetter ? new Rejected() : state;
        return new Rejected { Error = (consumer.SessionId is null ? BusErrors.MessageLockLost() : BusErrors.SessionLockLost()).Error };
    }

    private static Dictionary<string, object?>? Properties(Fields? fields) =>
        fields?.ToDictionary(field => field.Key.ToString()!, field => (object?)field.Value);

    /// <summary>Settles all of the locked messages; false, and no change at all, if one of the locks is gone.</summary>
    public bool TrySettle(IReadOnlyList<Guid> lockTokens, Settlement settlement, IReadOnlyDictionary<string, object?>? properties)
    {
        lock (_gate)
        {
            CatchUp(Now);
            var messages = lockTokens.Select(_store.FindLocked).ToList();
            var held = !messages.Contains(null);
            if (held)
            {
                foreach (var message in messages)
                    Settle(message!, settlement, properties);
            }
            Settled();
            return held;
        }
    }

    private void Settle(StoredMessage message, Settlement settlement, IReadOnlyDictionary<string, object?>? properties)
    {
        if (properties is { Count: > 0 })
            message.Bytes = MessageCodec.WithProperties(message.Bytes, properties);
        switch (settlement)
        {
            case Settlement.Complete:
                Complete(message);
                break;
            case Settlement.Abandon:
                GiveBack(message, failed: true);
                break;
            case Settlement.Release:
                GiveBack(message, failed: false);
                break;
            case Settlement.Defer:
                message.FailedDeliveries++;
                _store.Move(message, MessageState.Deferred, DateTime.MaxValue);
                _changes.Put(Name, message);
                break;
            case Settlement.DeadLetter:
                MoveToDeadLetters(message);
                break;
        }
    }

    private void Complete(StoredMessage message)
    {
        _completed++;
        Remove(message);
    }

    private void Remove(StoredMessage message)
    {
        _store.Remove(message);
        _changes.Remove(Name, message.SequenceNumber);
    }

    private void GiveBack(StoredMessage message, bool failed)
    {
        if (failed)
            message.FailedDeliveries++;
        if (message.State == MessageState.DeferredLocked)
        {
            _store.Move(message, MessageState.Deferred, DateTime.MaxValue);
        }
        else if (message.FailedDeliveries >= _options.MaxDeliveryCount && _deadLetters is not null)
        {
            MoveToDeadLetters(message, "MaxDeliveryCountExceeded",
                $"The message was not settled in {_options.MaxDeliveryCount} deliveries.");
            return;
        }
        else
        {
            MakeReady(message);
        }
        _changes.Put(Name, message);
    }

    private void MoveToDeadLetters(StoredMessage message, string reason, string description)
    {
        message.Bytes = MessageCodec.WithProperties(message.Bytes, DeadLetterProperties(reason, description));
        MoveToDeadLetters(message);
    }

    public static Dictionary<string, object?> DeadLetterProperties(string? reason, string? description)
    {
        var properties = new Dictionary<string, object?>();
        if (reason is not null)
            properties["DeadLetterReason"] = reason;
        if (description is not null)
            properties["DeadLetterErrorDescription"] = description;
        return properties;
    }

    private void MoveToDeadLetters(StoredMessage message)
    {
        Remove(message);
        // A message dead-lettered out of a dead-letter queue has nowhere further to go.
        _deadLetters?.TakeDeadLetter(message, this);
    }

    private void TakeDeadLetter(StoredMessage message, Entity source)
    {
        lock (_gate)
        {
            Insert(new StoredMessage
            {
                Bytes = message.Bytes,
                EnqueuedAt = message.EnqueuedAt,
                EnqueuedSequenceNumber = message.EnqueuedSequenceNumber,
                FailedDeliveries = message.FailedDeliveries,
                MessageId = message.MessageId,
                SessionId = message.SessionId,
                DeadLetterSource = source.Name,
            }, source._changes);
            // One frame for both queues, written before anyone can receive, and settle, the copy.
            source.Commit();
            Settled();
        }
    }

    // Time.

    private void OnTimer()
    {
        lock (_gate)
        {
            _timerAt = DateTime.MaxValue;
            Settled();
        }
    }

    /// <summary>Brings the entity to this moment, so that no operation sees a lock or a message that time has ended.</summary>
    private void CatchUp(DateTime now)
    {
        while (_store.NextToWake is { } message && message.WakeAt <= now)
            Wake(message, now);
        if (_sessions is null || _sessions.NextDue() > now)
            return;
        while (_sessions.RemoveWaiter(waiter => waiter.Until <= now) is { } late)
            late.Granted.TrySetException(BusErrors.Timeout());
        foreach (var session in _sessions.Held.Where(session => session.LockedUntil <= now).ToArray())
        {
            var link = session.Holder!.Link;
            ReleaseSession(session);
            // Closing calls back into the gate, and may wait for the network.
            ThreadPool.QueueUserWorkItem(_ => link.SafeClose(BusErrors.SessionLockLost()));
        }
    }

    private void Wake(StoredMessage message, DateTime now)
    {
        switch (message.State)
        {
            case MessageState.Scheduled:
                // A scheduled message arrives when it is due: it takes its place, and its number, behind what is there.
                Remove(message);
                message.State = MessageState.New;
                message.ScheduledFor = null;
                message.EnqueuedAt = now;
                message.SequenceNumber = ++_lastSequenceNumber;
                MakeReady(message);
                _changes.Put(Name, message);
                break;
            case MessageState.Locked or MessageState.DeferredLocked:
                GiveBack(message, failed: true);
                break;
            case MessageState.Ready when _options.DeadLetterOnExpiry:
                MoveToDeadLetters(message, "TTLExpiredException", "The message expired and was dead lettered.");
                break;
            case MessageState.Ready:
                Remove(message);
                break;
            case MessageState.New or MessageState.Deferred or MessageState.Gone:
                throw new InvalidOperationException($"A message in state {message.State} does not wait for a time.");
        }
    }

    private void ReleaseSession(Session session)
    {
        _sessions!.Release(session);
        foreach (var message in _store.Locked.Where(m => m.SessionId == session.Id && m.State == MessageState.Locked).ToArray())
            GiveBack(message, failed: true);
        _sessions.Prune(session);
    }

    /// <summary>Ends every operation: what changed is on file before anyone is told, then receivers are served.</summary>
    private void Settled()
    {
        // A message given back may have outlived its time while it was locked.
        CatchUp(Now);
        Commit();
        Pump();
        Commit();
        ArmTimer();
    }

    private void Commit()
    {
        if (_changes.IsEmpty)
            return;
        _log?.Append(_changes);
        _changes.Clear();
    }

    private void ArmTimer()
    {
        var due = _store.NextToWake?.WakeAt ?? DateTime.MaxValue;
        if (_sessions?.NextDue() is { } sessionDue && sessionDue < due)
            due = sessionDue;
        if (due >= _timerAt)
            return;
        _timerAt = due;
        var wait = due - Now;
        _timer.Change(
            wait > LongestTimer ? LongestTimer : TimeSpan.FromMilliseconds(Math.Max(0, Math.Ceiling(wait.TotalMilliseconds))),
            Timeout.InfiniteTimeSpan);
    }

    // Requests of the management node.

    public DateTime[] RenewLocks(IReadOnlyList<Guid> lockTokens)
    {
        lock (_gate)
        {
            var now = Now;
            CatchUp(now);
            var messages = lockTokens.Select(token => _store.FindLocked(token) ?? throw BusErrors.MessageLockLost()).ToList();
            foreach (var message in messages)
            {
                message.LockedUntil = now + _options.LockDuration;
                _store.Move(message, message.State, message.LockedUntil, message.LockToken);
            }
            Settled();
            return [.. messages.Select(message => message.LockedUntil)];
        }
    }

    /// <summary>Deferred messages by their numbers, all or none, each with its lock token.</summary>
    public List<(Guid LockToken, byte[] Message)> ReceiveDeferred(IReadOnlyList<long> sequenceNumbers, bool peekLock)
    {
        lock (_gate)
        {
            var now = Now;
            CatchUp(now);
            var messages = sequenceNumbers.Select(number => Find(number, MessageState.Deferred)).ToList();
            var received = new List<(Guid, byte[])>();
            foreach (var message in messages)
            {
                var token = Guid.CreateVersion7(_time.GetUtcNow());
                message.LockedUntil = now + _options.LockDuration;
                _store.Move(message, MessageState.DeferredLocked, message.LockedUntil, token);
                using var encoded = MessageCodec.ForDelivery(message, locked: true);
                received.Add((token, MessageCodec.Encode(encoded)));
                _deliveries++;
                if (!peekLock)
                    Complete(message);
            }
            Settled();
            return received;
        }
    }

    public List<byte[]> Peek(long from, int count, string? sessionId)
    {
        lock (_gate)
        {
            Settled();
            return [.. _store.From(from).Where(message => sessionId is null || message.SessionId == sessionId).Take(count).Select(message =>
            {
                using var encoded = MessageCodec.ForDelivery(message, locked: false);
                return MessageCodec.Encode(encoded);
            })];
        }
    }

    public void CancelScheduled(IReadOnlyList<long> sequenceNumbers)
    {
        lock (_gate)
        {
            CatchUp(Now);
            foreach (var message in sequenceNumbers.Select(number => Find(number, MessageState.Scheduled)).ToList())
                Remove(message);
            Settled();
        }
    }

    public int DeleteReady(DateTime enqueuedBefore, int count)
    {
        lock (_gate)
        {
            CatchUp(Now);
            var messages = _store.From(0)
                .Where(message => message.State == MessageState.Ready && message.EnqueuedAt < enqueuedBefore).Take(count).ToList();
            messages.ForEach(Remove);
            Settled();
            return messages.Count;
        }
    }

    public DateTime RenewSession(string sessionId)
    {
        lock (_gate)
        {
            var now = Now;
            CatchUp(now);
            var session = Sessions.Held.FirstOrDefault(held => held.Id == sessionId) ?? throw BusErrors.SessionLockLost();
            Sessions.Renew(session, now);
            Settled();
            return session.LockedUntil;
        }
    }

    public byte[]? GetSessionState(string sessionId)
    {
        lock (_gate)
        {
            var session = Sessions.Get(sessionId);
            Sessions.Prune(session);
            return session.State;
        }
    }

    public void SetSessionState(string sessionId, byte[]? state)
    {
        lock (_gate)
        {
            var session = Sessions.Get(sessionId);
            session.State = state;
            Sessions.Prune(session);
            _changes.SessionState(Name, sessionId, state);
            Commit();
        }
    }

    private SessionTable Sessions => _sessions ?? throw BusErrors.NotAllowed("The entity has no sessions.");

    private StoredMessage Find(long sequenceNumber, MessageState state) =>
        _store.Find(sequenceNumber) is { } message && message.State == state ? message : throw BusErrors.MessageNotFound(sequenceNumber);
}
