namespace Payments.Domain.Database;

/// <summary>
/// Shares work out among lanes. What has the same key is in one lane at a time, so that lanes do not wait for each other's locks; a key that is in none goes to the lane that has least to do. With
/// lanes that are fixed by the key, one would work alone again and again, while the other has nothing left.
/// </summary>
internal sealed class LaneChooser(int lanes, int keys)
{
    private readonly Lock _lock = new();
    private readonly int[] _load = new int[lanes];
    private readonly (int Lane, int Items)[] _keys = new (int, int)[keys];

    /// <summary>The lane for an item of a key, which is <see cref="Leave"/>d when the item is done.</summary>
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
