namespace Payments.Domain.Database;

/// <summary>The bounds of a <see cref="GroupCommit{TItem,TResult}"/>.</summary>
public sealed record GroupCommitOptions
{
    /// <summary>
    /// How many items may wait. The queue refuses one more. Together with the batch size and the duration of a batch, it bounds the wait.
    /// </summary>
    public int QueueLimit { get; init; } = 4096;

    /// <summary>The most items that share one transaction.</summary>
    public int MaxBatch { get; init; } = 1024;

    /// <summary>How long a refused caller should wait before it tries again.</summary>
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How often a batch is tried again after a transient error. After that its items are tried in halves, or fail if the server is not
    /// reachable.
    /// </summary>
    public int Retries { get; init; } = 3;

    /// <summary>How long to ask the server, after a lost connection, whether it committed. After that the outcome is unknown.</summary>
    public TimeSpan ResolveWithin { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long an idle connection is kept for the next batch. Within twice that time it is back in the pool, which other code shares.
    /// </summary>
    public TimeSpan ConnectionIdle { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest time for which batches use one connection, so that the pool can renew it.</summary>
    public TimeSpan ConnectionLifetime { get; init; } = TimeSpan.FromMinutes(5);
}
