namespace Payments.Local.ServiceBus;

/// <summary>
/// The messages of one entity, indexed by sequence number, readiness, lock token and the time something happens to them.
/// Not thread-safe: the entity's gate guards it.
/// </summary>
internal sealed class MessageStore(Func<StoredMessage, SortedSet<StoredMessage>> readySetOf)
{
    public static readonly IComparer<StoredMessage> BySequence =
        Comparer<StoredMessage>.Create((a, b) => a.SequenceNumber.CompareTo(b.SequenceNumber));

    private static readonly IComparer<StoredMessage> ByWake = Comparer<StoredMessage>.Create((a, b) =>
        a.WakeAt != b.WakeAt ? a.WakeAt.CompareTo(b.WakeAt) : a.SequenceNumber.CompareTo(b.SequenceNumber));

    private static readonly StoredMessage Last = StoredMessage.Probe(long.MaxValue);

    private readonly SortedSet<StoredMessage> _all = new(BySequence);
    private readonly SortedSet<StoredMessage> _waking = new(ByWake);
    private readonly Dictionary<Guid, StoredMessage> _locked = [];
    private readonly int[] _inState = new int[Enum.GetValues<MessageState>().Length];

    public StoredMessage? NextToWake => _waking.Min;

    public IEnumerable<StoredMessage> Locked => _locked.Values;

    public int CountOf(MessageState state) => _inState[(int)state];

    public StoredMessage? Find(long sequenceNumber) =>
        _all.TryGetValue(StoredMessage.Probe(sequenceNumber), out var message) ? message : null;

    public StoredMessage? FindLocked(Guid token) => _locked.GetValueOrDefault(token);

    /// <summary>Messages from a sequence number on, in order.</summary>
    public IEnumerable<StoredMessage> From(long sequenceNumber) =>
        _all.GetViewBetween(StoredMessage.Probe(sequenceNumber), Last);

    /// <summary>Puts a message into a state and every index that state belongs to.</summary>
    public void Move(StoredMessage message, MessageState to, DateTime wakeAt, Guid lockToken = default)
    {
        Leave(message);
        message.State = to;
        message.WakeAt = wakeAt;
        message.LockToken = lockToken;
        _inState[(int)to]++;
        if (wakeAt != DateTime.MaxValue)
            _waking.Add(message);
        switch (to)
        {
            case MessageState.Ready:
                readySetOf(message).Add(message);
                break;
            case MessageState.Locked or MessageState.DeferredLocked:
                _locked[lockToken] = message;
                break;
            case MessageState.New or MessageState.Scheduled or MessageState.Deferred or MessageState.Gone:
                break;
        }
    }

    public void Remove(StoredMessage message)
    {
        Leave(message);
        _all.Remove(message);
        message.State = MessageState.Gone;
        message.WakeAt = DateTime.MaxValue;
        message.LockToken = default;
    }

    private void Leave(StoredMessage message)
    {
        if (message.State == MessageState.New)
        {
            _all.Add(message);
            return;
        }
        _inState[(int)message.State]--;
        if (message.WakeAt != DateTime.MaxValue)
            _waking.Remove(message);
        if (message.State == MessageState.Ready)
            readySetOf(message).Remove(message);
        if (message.LockToken != default)
            _locked.Remove(message.LockToken);
    }
}
