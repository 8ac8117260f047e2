namespace Payments.Domain.Database;

/// <summary>
/// Distributes work among lanes. Items with the same key are in one lane at a time, so that lanes do not wait for each other's locks. A key
/// that is in no lane goes to the lane with the least work. If the key alone fixed the lane, one lane would often work while the others are
/// idle.
/// </summary>
internal sealed class LaneChooser(int lanes, int keys)
{
    private readonly Lock _lock = new();
    private readonly int[] _load = new int[lanes];
    private readonly (int Lane, int Items)[] _keys = new (int, int)[keys];

    /// <summary>Returns the lane for an item of a key. The caller calls <see cref="Leave"/> when the item is done.</summary>
    public int Enter(int key)
    {
        lock (_lock)
        {
            ref var current = ref _keys[key];
            if (current.Items++ == 0)
                current.Lane = Array.IndexOf(_load, _load.Min());
            _load[current.Lane]++;
            return current.Lane;
        }
    }

    public void Leave(int key)
    {
        lock (_lock)
        {
            ref var current = ref _keys[key];
            current.Items--;
            _load[current.Lane]--;
        }
    }
}
