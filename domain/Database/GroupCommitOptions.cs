namespace Payments.Domain.Database;

/// <summary>The bounds of a <see cref="GroupCommit{TItem,TResult}"/>.</summary>
public sealed record GroupCommitOptions
{
    /// <summary>How many items may wait; one more is refused. With the batch size and the time a batch takes it bounds the wait.</summary>
    public int QueueLimit { get; init; } = 4096;

    /// <summary>How many items share one transaction at most.</summary>
    public int MaxBatch { get; init; } = 1024;

    /// <summary>What a refused caller is told to wait.</summary>
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How often a batch is tried again when another transaction was in the way, before its items are tried in halves.</summary>
    public int Retries { get; init; } = 3;

    /// <summary>How long a lost server is asked whether it had committed, before the outcome is called unknown.</summary>
    public TimeSpan ResolveWithin { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the connection is kept after a batch, for the next. Within twice that time it is back in the pool, which others share.</summary>
    public TimeSpan ConnectionIdle { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long batches use one connection at most, so that the pool gets to renew it.</summary>
    public TimeSpan ConnectionLifetime { get; init; } = TimeSpan.FromMinutes(5);
}
