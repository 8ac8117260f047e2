using System.Collections.Concurrent;

namespace Payments.Domain.Merchants;

/// <summary>
/// Limits the requests of each caller with a token bucket, which fills steadily and holds a burst. Each instance counts for itself, without
/// a look-up. So a caller has the full budget at each instance.
/// </summary>
/// <param name="perSecond">Tokens that a bucket gains per second. Zero or less disables the limit.</param>
/// <param name="burst">The number of tokens in a full bucket.</param>
public sealed class RequestBudget(double perSecond, double burst, TimeProvider time)
{
    // At this number of buckets, all of them are dropped. A bucket that is unused for long enough is full again anyway, so this gives a
    // caller at most one extra burst.
    private const int Capacity = 50_000;

    private readonly ConcurrentDictionary<string, Bucket> _buckets = new(StringComparer.Ordinal);

    /// <summary>Whether no caller has taken a token yet.</summary>
    public bool IsUnused => _buckets.IsEmpty;

    /// <summary>Takes a token. Returns null on success, otherwise the time until the next token.</summary>
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

    /// <summary>The time until the next token, or null if there is one. Takes none.</summary>
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
