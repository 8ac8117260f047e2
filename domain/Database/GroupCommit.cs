using System.Data;
using System.Diagnostics;
using System.Threading.Channels;
using Npgsql;

namespace Payments.Domain.Database;

/// <summary>
/// Does the items' work inside the transaction and answers each, in order. It must not commit, must answer refusals as results, and may be
/// called again with the same items, or some of them, after its transaction was rolled back.
/// </summary>
public delegate ValueTask<IReadOnlyList<TResult>> CommitBatch<TItem, TResult>(
    NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<TItem> items, CancellationToken ct);

/// <summary>
/// Does the work as <see cref="CommitBatch{TItem,TResult}"/> does, and may commit it with its last statements: then it must have found whatever is wrong before, or have a statement fail for it.
/// </summary>
public delegate ValueTask<IReadOnlyList<TResult>> CommittingBatch<TItem, TResult>(
    NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<TItem> items, BatchCommit<TResult> commit, CancellationToken ct);

/// <summary>The commit of one batch of a <see cref="GroupCommit{TItem,TResult}"/>, to be sent with its last statements.</summary>
public sealed class BatchCommit<TResult>
{
    private readonly CommitMarker _marker;
    private readonly TimeProvider _time;

    internal BatchCommit(CommitMarker marker, TimeProvider time) => (_marker, _time) = (marker, time);

    /// <summary>The results as they are if the batch that was to commit did so and nobody heard of it; null while none was.</summary>
    internal IReadOnlyList<TResult>? Results { get; private set; }

    /// <summary>The batch was refused, and the transaction begun anew: its commit is yet to come.</summary>
    public void Undone() => Results = null;

    /// <summary>Ends the batch with the commit.</summary>
    /// <param name="results">What the items are answered should the server commit and its answer be lost.</param>
    public void AddTo(NpgsqlBatch batch, IReadOnlyList<TResult> results)
    {
        Results = results;
        _marker.AddTo(batch, _time.GetUtcNow());
    }
}

/// <summary>
/// Lets callers that write at the same time share one database transaction. Whatever waits when a batch starts goes into it, and one
/// batch is in flight: an idle system adds no delay, and a busy one pays for one commit where it paid for hundreds.
/// </summary>
/// <remarks>
/// A caller is never left unsure. Until its item is taken into a batch, cancelling withdraws it; after that, cancelling is too late and
/// the caller gets the item's real result. When the connection is lost at the commit, the server is asked whether it had committed.
/// When a batch fails, its items are tried again in halves, so that an item that cannot be done fails alone.
/// <para>
/// A caller that finds itself alone runs its batch itself, which spares two changes of thread. Batches that follow each other use one
/// connection: the pool hands its idle ones out in turn, and each server process would have to warm up for the same statements.
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

    // Who holds it takes batches, and alone uses the fields below.
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

    /// <param name="transact">Does and commits the whole batch; doing it twice is the same as doing it once, so it needs no marker.</param>
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

    // The first request that needs a queue makes it, and any may start a run: what flows with a request, its trace above all, is not every later item's.
    private static T OnNobodysBehalf<T>(Func<T> start)
    {
        if (ExecutionContext.IsFlowSuppressed())
            return start();
        using (ExecutionContext.SuppressFlow())
            return start();
    }

    /// <summary>Waits for the item's own result, with whatever the item asked for committed.</summary>
    /// <exception cref="OverloadedException">The queue is full; nothing was done.</exception>
    /// <exception cref="OperationCanceledException">The item was withdrawn before a batch took it; nothing was done.</exception>
    /// <exception cref="CommitUnknownException">The server was lost at the commit and did not come back in time.</exception>
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

        // Whoever has the turn looks into the queue again after giving it back, so nothing stays there unseen.
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

    /// <summary>Takes no more items and returns when everything accepted has its result.</summary>
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

    // The batch belongs to none of its items' traces; each shows how long it waited for its result.
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

    // Needs the turn; so does whatever else takes batches.
    private void Run() => OnNobodysBehalf(() => Task.Run(RunAsync));

    private async Task RunAsync()
    {
        try
        {
            while (Take())
            {
                await CommitAsync(_batch);
                _alone = _batch.Count == 1;

                // Those who were answered go first: what they ask next shares the batch of those who waited, instead of half of each turn's.
                await Task.Yield();
            }
        }
        finally
        {
            EndTurn();
        }
    }

    /// <summary>One batch on the caller's thread. What came meanwhile is left to a run, so that the caller does not wait for others' batches.</summary>
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

            // Halving finds the item that cannot be done; it does not help when the server is at fault.
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

    // A connection that broke while it was kept fails before anything was sent on it, or like any other that is lost: the batch is tried again on a new one.
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
            // It is broken, and the pool has let go of it.
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
            // No error tells whether the transaction committed: the answer may have been lost on its way back, and a server that spreads rows over nodes may
            // answer COMMIT with an error after a node has committed. Only the marker tells.
            await EndAsync(transaction);
            if (!await WasCommittedAsync(e))
                throw;
            return commit.Results;
        }
    }

    // Asking for the marker waits for the row's lock, which a transaction that failed holds until it ends.
    private static async Task EndAsync(NpgsqlTransaction transaction)
    {
        try
        {
            await transaction.RollbackAsync();
        }
        catch (Exception e) when (e is InvalidOperationException || DatabaseErrors.IsTransient(e))
        {
            // It has ended already, or the server ends it with the lost connection.
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

    /// <summary>An item and its caller. It leaves the queue once: taken by a batch, or withdrawn by its caller.</summary>
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
