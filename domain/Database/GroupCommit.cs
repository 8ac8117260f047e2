using System.Data;
using System.Diagnostics;
using System.Threading.Channels;
using Npgsql;

namespace Payments.Domain.Database;

/// <summary>
/// Does the work of the items inside the transaction and returns one result for each, in order. It must not commit, and it returns refusals
/// as results. The queue may call it again with the same items, or with some of them, after it rolled the transaction back.
/// </summary>
public delegate ValueTask<IReadOnlyList<TResult>> CommitBatch<TItem, TResult>(
    NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<TItem> items, CancellationToken ct);

/// <summary>
/// Does the work as <see cref="CommitBatch{TItem,TResult}"/> does, and may send the commit with its last statements.
/// Then it must have detected every problem before, or one of those statements must fail because of it.
/// </summary>
public delegate ValueTask<IReadOnlyList<TResult>> CommittingBatch<TItem, TResult>(
    NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<TItem> items, BatchCommit<TResult> commit, CancellationToken ct);

/// <summary>
/// The commit of one batch of a <see cref="GroupCommit{TItem,TResult}"/>, which the work may send with its last statements.
/// </summary>
public sealed class BatchCommit<TResult>
{
    private readonly CommitMarker _marker;
    private readonly TimeProvider _time;

    internal BatchCommit(CommitMarker marker, TimeProvider time) => (_marker, _time) = (marker, time);

    /// <summary>The results of the items if the server commits but its answer is lost. Null while no batch carries the commit.</summary>
    internal IReadOnlyList<TResult>? Results { get; private set; }

    /// <summary>
    /// The server refused the batch that carried the commit, and the work began the transaction anew. The commit is still to be sent.
    /// </summary>
    public void Undone() => Results = null;

    /// <summary>Appends the marker and the commit to the batch.</summary>
    /// <param name="results">The results of the items if the server commits but its answer is lost.</param>
    public void AddTo(NpgsqlBatch batch, IReadOnlyList<TResult> results)
    {
        Results = results;
        _marker.AddTo(batch, _time.GetUtcNow());
    }
}

/// <summary>
/// Lets concurrent callers share one database transaction. A batch takes the items that wait when it starts, and one batch is in flight at
/// a time. An idle system adds no delay, and a busy one pays for one commit instead of hundreds.
/// </summary>
/// <remarks>
/// A caller learns the real result of its item. The only exception is <see cref="CommitUnknownException"/>. Until a batch takes the item,
/// cancelling withdraws it. After that, cancelling has no effect. If the connection is lost at the commit, the queue asks the server
/// whether it committed. If a batch fails, the queue tries its items again in halves, so that an item that cannot be done fails alone.
/// <para>
/// After a batch of one item, a caller that finds no other at work runs its batch on its own thread, which spares two changes of thread.
/// Consecutive batches use one connection. The pool would rotate its idle connections, and each server process would have to warm up for
/// the same statements.
/// </para>
/// </remarks>
public sealed class GroupCommit<TItem, TResult> : IAsyncDisposable
{
    private readonly string _name;
    private readonly NpgsqlDataSource _dataSource;
    private readonly Func<NpgsqlConnection, IReadOnlyList<TItem>, Task<IReadOnlyList<TResult>>> _transact;
    private readonly bool _repeatable;
    private readonly GroupCommitOptions _options;
    private readonly TimeProvider _time;
    private readonly GroupCommitMetrics _metrics;
    private readonly CommitMarker _marker;
    private readonly Channel<Entry> _queue;

    // Only the holder of the turn takes batches and changes the fields below, except _closed.
    private readonly SemaphoreSlim _turn = new(1);
    private readonly List<Entry> _batch = [];
    private readonly ITimer _idle;
    private NpgsqlConnection? _connection;
    private long _connectedAt;
    private long _usedAt;
    private bool _watched;
    private volatile bool _alone;
    private volatile bool _closed;

    /// <param name="name">Names the queue in metrics and errors.</param>
    public GroupCommit(string name, NpgsqlDataSource dataSource, CommitBatch<TItem, TResult> commit, GroupCommitOptions options, TimeProvider time)
        : this(name, dataSource, options, time)
    {
        _transact = (connection, items) => TransactAsync(connection, (c, transaction, batch, _, ct) => commit(c, transaction, batch, ct), items);
    }

    /// <inheritdoc cref="GroupCommit{TItem,TResult}(string,NpgsqlDataSource,CommitBatch{TItem,TResult},GroupCommitOptions,TimeProvider)"/>
    public GroupCommit(string name, NpgsqlDataSource dataSource, CommittingBatch<TItem, TResult> commit, GroupCommitOptions options, TimeProvider time)
        : this(name, dataSource, options, time)
    {
        _transact = (connection, items) => TransactAsync(connection, commit, items);
    }

    /// <param name="transact">Does and commits the whole batch. It must be idempotent, so it needs no marker.</param>
    internal GroupCommit(
        string name,
        NpgsqlDataSource dataSource,
        Func<NpgsqlConnection, IReadOnlyList<TItem>, Task<IReadOnlyList<TResult>>> transact,
        GroupCommitOptions options,
        TimeProvider time)
        : this(name, dataSource, options, time)
    {
        _transact = transact;
        _repeatable = true;
    }

    private GroupCommit(string name, NpgsqlDataSource dataSource, GroupCommitOptions options, TimeProvider time)
    {
        _name = name;
        _dataSource = dataSource;
        _options = options;
        _time = time;
        _metrics = new GroupCommitMetrics(name);
        _marker = new CommitMarker(Guid.CreateVersion7(time.GetUtcNow()));
        _queue = Channel.CreateBounded<Entry>(new BoundedChannelOptions(options.QueueLimit) { SingleReader = true });
        _idle = OnNobodysBehalf(() => time.CreateTimer(static state => _ = ((GroupCommit<TItem, TResult>)state!).ReturnIdleConnectionAsync(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan));
        _transact = null!;
    }

    // The timer and the runs serve every caller. They must not carry the context, above all the trace, of the request that happens to start
    // them.
    private static T OnNobodysBehalf<T>(Func<T> start)
    {
        if (ExecutionContext.IsFlowSuppressed())
            return start();
        using (ExecutionContext.SuppressFlow())
            return start();
    }

    /// <summary>Returns the item's own result, after its batch has committed.</summary>
    /// <exception cref="OverloadedException">The queue is full. Nothing was done.</exception>
    /// <exception cref="OperationCanceledException">The caller cancelled before a batch took the item. Nothing was done.</exception>
    /// <exception cref="CommitUnknownException">
    /// The connection was lost at the commit, and the server was not reachable again in time.
    /// </exception>
    public ValueTask<TResult> SubmitAsync(TItem item, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        var entry = new Entry(item, _time.GetTimestamp());
        if (!_queue.Writer.TryWrite(entry))
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            _metrics.Refused();
            throw new OverloadedException(_name, _options.RetryAfter);
        }

        // The holder of the turn checks the queue again after it releases the turn, so no item stays there unnoticed.
        var lead = _turn.Wait(0, CancellationToken.None);
        if (lead && !_alone)
        {
            lead = false;
            Run();
        }

        if (GroupCommitMetrics.Activities.HasListeners() && Activity.Current is not null)
            return new(TracedAsync(entry, lead, ct));
        return lead || ct.CanBeCanceled ? new(AnswerAsync(entry, lead, ct)) : new(entry.Task);
    }

    /// <summary>Takes no more items, and returns when every accepted item has its result.</summary>
    public async ValueTask DisposeAsync()
    {
        _closed = true;
        _queue.Writer.TryComplete();
        await _turn.WaitAsync();
        try
        {
            while (Take())
                await CommitAsync(_batch);
            await DisconnectAsync();
            await _idle.DisposeAsync();
        }
        finally
        {
            _turn.Release();
        }
    }

    // A batch belongs to the trace of none of its items. Each trace shows how long its item waited for the result.
    private async Task<TResult> TracedAsync(Entry entry, bool lead, CancellationToken ct)
    {
        using var activity = GroupCommitMetrics.Activities.StartActivity($"commit {_name}");
        return await AnswerAsync(entry, lead, ct);
    }

    private async Task<TResult> AnswerAsync(Entry entry, bool lead, CancellationToken ct)
    {
        if (lead)
            await RunOnceAsync();
        if (!ct.CanBeCanceled || entry.Task.IsCompleted)
            return await entry.Task;
        await using var registration = ct.UnsafeRegister(static (state, token) => ((Entry)state!).Withdraw(token), entry);
        return await entry.Task;
    }

    // Requires the turn, like every method that takes batches.
    private void Run() => OnNobodysBehalf(() => Task.Run(RunAsync));

    private async Task RunAsync()
    {
        try
        {
            while (Take())
            {
                await CommitAsync(_batch);
                _alone = _batch.Count == 1;

                // The callers that were just answered run first. Their next items then join the batch of those that wait, instead of
                // splitting each turn's items in two.
                await Task.Yield();
            }
        }
        finally
        {
            EndTurn();
        }
    }

    /// <summary>
    /// Runs one batch on the caller's thread. A separate run takes later items, so that the caller does not wait for the batches of others.
    /// </summary>
    private async Task RunOnceAsync()
    {
        Activity.Current = null;
        try
        {
            if (Take())
            {
                await CommitAsync(_batch);
                _alone = _batch.Count == 1;
            }
        }
        finally
        {
            EndTurn();
        }
    }

    private void EndTurn()
    {
        _turn.Release();
        if (_queue.Reader.Count > 0 && _turn.Wait(0, CancellationToken.None))
            Run();
    }

    private bool Take()
    {
        _batch.Clear();
        while (_batch.Count < _options.MaxBatch && _queue.Reader.TryRead(out var entry))
        {
            if (entry.Take())
            {
                _metrics.Waited(_time.GetElapsedTime(entry.SubmittedAt));
                _batch.Add(entry);
            }
        }

        return _batch.Count > 0;
    }

    private async Task CommitAsync(IReadOnlyList<Entry> batch)
    {
        TItem[] items = [.. batch.Select(entry => entry.Item)];
        var began = _time.GetTimestamp();
        var mayBeDone = false;
        for (var attempt = 0; ; attempt++)
        {
            var started = _time.GetTimestamp();
            var connected = false;
            Exception error;
            try
            {
                var connection = await ConnectAsync();
                connected = true;
                var results = await _transact(connection, items);
                if (results.Count != items.Length)
                    throw new InvalidOperationException($"'{_name}' answered {results.Count} of {items.Length} items.");
                _metrics.Committed(items.Length, _time.GetElapsedTime(started));
                for (var i = 0; i < items.Length; i++)
                    batch[i].SetResult(results[i]);
                return;
            }
            catch (Exception e)
            {
                _metrics.Failed();
                error = e;
                if (_connection is { State: ConnectionState.Open } failed)
                    PreparedStatements.Forget(failed);
                await DisconnectAsync();
            }

            var advice = error is CommitUnknownException ? RetryAdvice.Never : DatabaseErrors.Advise(error);
            mayBeDone |= _repeatable && connected && advice is RetryAdvice.WhenReachable;
            var again = mayBeDone
                ? advice is not RetryAdvice.Never && _time.GetElapsedTime(began) < _options.ResolveWithin
                : advice is not RetryAdvice.Never && attempt < _options.Retries;
            if (again)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(5 << (2 * Math.Min(attempt, 3))), _time);
                continue;
            }

            // Halving isolates an item that cannot be done. It does not help when the server fails.
            if (items.Length == 1 || advice is RetryAdvice.WhenReachable || error is CommitUnknownException)
            {
                foreach (var entry in batch)
                    entry.SetException(mayBeDone ? new CommitUnknownException(_name, error) : error);
                return;
            }

            await CommitAsync([.. batch.Take(items.Length / 2)]);
            await CommitAsync([.. batch.Skip(items.Length / 2)]);
            return;
        }
    }

    // A kept connection that broke fails before anything is sent on it, or like any lost connection. The batch is then tried again on a new
    // one.
    private async ValueTask<NpgsqlConnection> ConnectAsync()
    {
        if (_connection is not { State: ConnectionState.Open } || _time.GetElapsedTime(_connectedAt) >= _options.ConnectionLifetime)
        {
            await DisconnectAsync();
            _connection = await _dataSource.OpenConnectionAsync();
            _connectedAt = _time.GetTimestamp();
        }

        _usedAt = _time.GetTimestamp();
        if (!_watched)
            _watched = _idle.Change(_options.ConnectionIdle, Timeout.InfiniteTimeSpan);
        return _connection;
    }

    private async ValueTask DisconnectAsync()
    {
        if (_connection is not { } connection)
            return;
        _connection = null;
        try
        {
            await connection.DisposeAsync();
        }
        catch (Exception e) when (DatabaseErrors.IsTransient(e))
        {
            // The connection is broken, and the pool has dropped it.
        }
    }

    private async Task ReturnIdleConnectionAsync()
    {
        if (!_turn.Wait(0, CancellationToken.None))
        {
            _idle.Change(_options.ConnectionIdle, Timeout.InfiniteTimeSpan);
            return;
        }

        try
        {
            if (_connection is not null && _time.GetElapsedTime(_usedAt) < _options.ConnectionIdle)
            {
                _idle.Change(_options.ConnectionIdle, Timeout.InfiniteTimeSpan);
                return;
            }

            _watched = false;
            await DisconnectAsync();
        }
        finally
        {
            EndTurn();
        }
    }

    private async Task<IReadOnlyList<TResult>> TransactAsync(NpgsqlConnection connection, CommittingBatch<TItem, TResult> work, IReadOnlyList<TItem> items)
    {
        await using var transaction = await connection.BeginTransactionAsync();
        var commit = new BatchCommit<TResult>(_marker, _time);
        try
        {
            var results = await work(connection, transaction, items, commit, CancellationToken.None);
            if (commit.Results is null && results.Count == items.Count)
            {
                await using var batch = new NpgsqlBatch(connection, transaction);
                commit.AddTo(batch, results);
                await batch.ExecuteNonQueryAsync();
            }

            return results;
        }
        catch (Exception e) when (commit.Results is not null)
        {
            // No error tells whether the transaction committed, only the marker does. The answer may have been lost on its way back.
            // A server that spreads rows over nodes may also answer COMMIT with an error after one node has committed.
            await EndAsync(transaction);
            if (!await WasCommittedAsync(e))
                throw;
            return commit.Results;
        }
    }

    // The query for the marker waits for the lock of the marker's row. A failed transaction holds that lock until it ends.
    private static async Task EndAsync(NpgsqlTransaction transaction)
    {
        try
        {
            await transaction.RollbackAsync();
        }
        catch (Exception e) when (e is InvalidOperationException || DatabaseErrors.IsTransient(e))
        {
            // The transaction has already ended, or the server ends it with the lost connection.
        }
    }

    private async Task<bool> WasCommittedAsync(Exception lost)
    {
        var started = _time.GetTimestamp();
        while (true)
        {
            try
            {
                await using var connection = await _dataSource.OpenConnectionAsync();
                return await _marker.WasCommittedAsync(connection, _time.GetUtcNow());
            }
            catch (Exception e) when (DatabaseErrors.IsTransient(e))
            {
                if (_time.GetElapsedTime(started) >= _options.ResolveWithin)
                    throw new CommitUnknownException(_name, lost);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), _time);
        }
    }

    /// <summary>An item and its caller. It leaves the queue exactly once: a batch takes it, or its caller withdraws it.</summary>
    private sealed class Entry(TItem item, long submittedAt) : TaskCompletionSource<TResult>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        private int _left;

        public TItem Item { get; } = item;

        public long SubmittedAt { get; } = submittedAt;

        public bool Take() => Interlocked.Exchange(ref _left, 1) == 0;

        public void Withdraw(CancellationToken ct)
        {
            if (Interlocked.Exchange(ref _left, 1) == 0)
                SetCanceled(ct);
        }
    }
}
