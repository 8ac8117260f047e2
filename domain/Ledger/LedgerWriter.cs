using Npgsql;
using Payments.Domain.Database;

namespace Payments.Domain.Ledger;

/// <summary>
/// Posts single journals for callers that have nothing else to write. Journals that arrive at the same time share a transaction.
/// </summary>
public sealed class LedgerWriter : IAsyncDisposable
{
    private readonly GroupCommit<Journal, PostingResult> _queue;

    public LedgerWriter(NpgsqlDataSource dataSource, LedgerPosting posting, TimeProvider time, GroupCommitOptions? options = null) =>
        _queue = new GroupCommit<Journal, PostingResult>(
            "ledger",
            dataSource,
            (connection, journals) => posting.PostAndCommitAsync(connection, journals, time.GetUtcNow(), CancellationToken.None),
            options ?? new GroupCommitOptions(),
            time);

    /// <summary>
    /// Returns once the answer is durable. After a lost connection the batch is posted again, so a new journal may get the answer
    /// <see cref="PostingStatus.Exists"/>. See <see cref="GroupCommit{TItem,TResult}.SubmitAsync"/> for the effect of cancellation and of a
    /// full queue.
    /// </summary>
    public ValueTask<PostingResult> PostAsync(Journal journal, CancellationToken ct) => _queue.SubmitAsync(journal, ct);

    public ValueTask DisposeAsync() => _queue.DisposeAsync();
}
