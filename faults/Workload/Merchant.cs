namespace Payments.Faults;

/// <summary>A merchant of the run, and what its client knows of its objects.</summary>
internal sealed record Merchant(string Id, string Key, bool IsLive)
{
    public Bag<ChargeOfRun> Charges { get; } = new();

    /// <summary>Charges with manual capture.</summary>
    public Bag<ChargeOfRun> Held { get; } = new();

    /// <summary>Charges that wait for their cardholders.</summary>
    public Bag<ChargeOfRun> Waiting { get; } = new();

    public Bag<string> Refunds { get; } = new();

    public Bag<string> Payouts { get; } = new();

    public Bag<string> Endpoints { get; } = new();
}

/// <param name="Payment">The acquirer's reference of the payment, if the client got it.</param>
/// <param name="Amount">Minor units.</param>
internal sealed record ChargeOfRun(string Id, string? Payment, string Currency, long Amount);

/// <summary>A bag that many workers fill and draw from. Thread-safe.</summary>
internal sealed class Bag<T>
{
    private readonly List<T> _items = [];

    /// <summary>A copy of the current items.</summary>
    public IReadOnlyList<T> All
    {
        get
        {
            lock (_items)
                return [.. _items];
        }
    }

    public void Add(T item)
    {
        lock (_items)
            _items.Add(item);
    }

    /// <summary>Draws an item, a later one with a higher probability. False if there is none.</summary>
    public bool TryDraw(Random random, out T item)
    {
        lock (_items)
        {
            item = default!;
            if (_items.Count == 0)
                return false;
            item = _items[(int)(_items.Count * Math.Sqrt(random.NextDouble()))];
            return true;
        }
    }
}
