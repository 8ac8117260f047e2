using System.Collections.Concurrent;

namespace Payments.Domain.Merchants;

/// <summary>
/// How many requests each caller may send: a bucket of tokens for each, which fills steadily and holds a burst. Counted in this process, so that it costs no look-up;
/// over several instances a caller has as much of each.
/// </summary>
/// <param name="perSecond">How fast a bucket fills; zero or less lets everything pass.</param>
/// <param name="burst">How much a full bucket holds.</param>
public sealed class RequestBudget(double perSecond, double burst, TimeProvider time)
{
    // A bucket that was not used for as long as it takes to fill is as good as none: dropping all of them at times costs nobody more than one burst.
    private const int Capacity = 50_000;

    private readonly ConcurrentDictionary<string, Bucket> _buckets = new(StringComparer.Ordinal);

    /// <summary>Whether no caller has taken a token yet.</summary>
    public bool IsUnused => _buckets.IsEmpty;

    /// <summary>Takes a token. Null when there was one, otherwise how long until there is.</summary>
    public TimeSpan? Take(string caller)
    {
        if (perSecond <= 0)
            return null;
        var bucket = Of(caller);
        lock (bucket)
        {
            Fill(bucket);
            if (bucket.Tokens < 1)
                return TimeSpan.FromSeconds((1 - bucket.Tokens) / perSecond);
            bucket.Tokens--;
            return null;
        }
    }

    /// <summary>How long until there is a token; null when there is one. Takes none.</summary>
    public TimeSpan? Look(string caller)
    {
        if (perSecond <= 0 || !_buckets.TryGetValue(caller, out var bucket))
            return null;
        lock (bucket)
        {
            Fill(bucket);
            return bucket.Tokens < 1 ? TimeSpan.FromSeconds((1 - bucket.Tokens) / perSecond) : null;
        }
    }

    private Bucket Of(string caller)
    {
        if (_buckets.TryGetValue(caller, out var bucket))
            return bucket;
        if (_buckets.Count >= Capacity)
            _buckets.Clear();
        return _buckets.GetOrAdd(caller, _ => new Bucket { Tokens = burst, FilledAt = time.GetTimestamp() });
    }

    private void Fill(Bucket bucket)
    {
        var now = time.GetTimestamp();
        bucket.Tokens = Math.Min(burst, bucket.Tokens + (time.GetElapsedTime(bucket.FilledAt, now).TotalSeconds * perSecond));
        bucket.FilledAt = now;
    }

    private sealed class Bucket
    {
        public double Tokens { get; set; }

        public long FilledAt { get; set; }
    }
}
