namespace Payments.Faults;

/// <summary>A merchant of the run and what its client knows of its own objects.</summary>
internal sealed record Merchant(string Id, string Key, bool IsLive)
{
    public Bag<ChargeOfRun> Charges { get; } = new();

    /// <summary>Charges that were not to be captured at once.</summary>
    public Bag<ChargeOfRun> Held { get; } = new();

    /// <summary>Charges whose cardholders were asked.</summary>
    public Bag<ChargeOfRun> Waiting { get; } = new();

    public Bag<string> Refunds { get; } = new();

    public Bag<string> Payouts { get; } = new();

    public Bag<string> Endpoints { get; } = new();
}

/// <param name="Payment">What the processor calls its payment, where it was told.</param>
/// <param name="Amount">Minor units.</param>
internal sealed record ChargeOfRun(string Id, string? Payment, string Currency, long Amount);

/// <summary>Things that many put in and some draw from.</summary>
internal sealed class Bag<T>
{
    private readonly List<T> _items = [];

    /// <summary>All of them, as they are now.</summary>
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

    /// <summary>One of them, the later the likelier; false when there is none.</summary>
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
