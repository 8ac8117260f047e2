namespace Payments.Domain.Database;

/// <summary>
/// The queue is full. Nothing was done, and the caller may try again after <see cref="RetryAfter"/>. The API answers 503.
/// </summary>
public sealed class OverloadedException(string queue, TimeSpan retryAfter)
    : Exception($"The queue '{queue}' is full; try again in {retryAfter.TotalSeconds:0.#} s.")
{
    public string Queue { get; } = queue;

    public TimeSpan RetryAfter { get; } = retryAfter;
}

/// <summary>
/// The connection was lost while a transaction committed, and the server could not be asked in time whether it committed. Only in
/// this case does a caller get no outcome. The caller gets it by repeating the item under the same external key.
/// </summary>
public sealed class CommitUnknownException(string queue, Exception inner)
    : Exception($"Whether the batch of '{queue}' was committed is unknown: the server could not be reached.", inner);
