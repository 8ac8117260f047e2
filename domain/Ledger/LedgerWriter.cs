using Npgsql;
using Payments.Domain.Database;

namespace Payments.Domain.Ledger;

/// <summary>Posts single journals for callers who have nothing else to write: those that come at the same time share a transaction.</summary>
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
    /// Returns once the answer is durable. After a connection was lost the batch is posted again, so a journal may be answered
    /// <see cref="PostingStatus.Exists"/> though nobody posted it before. See <see cref="GroupCommit{TItem,TResult}.SubmitAsync"/> for what cancelling and a full queue mean.
    /// </summary>
    public ValueTask<PostingResult> PostAsync(Journal journal, CancellationToken ct) => _queue.SubmitAsync(journal, ct);

    public ValueTask DisposeAsync() => _queue.DisposeAsync();
}
