using Dapper;
using Npgsql;
using Payments.Domain.Database;

namespace Payments.Postgres.Tests.Database;

public sealed class GroupCommitTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncLifetime
{
    private static readonly GroupCommitOptions Options = new();

    public async ValueTask InitializeAsync()
    {
        await using var connection = await database.Owner.OpenConnectionAsync();
        await connection.ExecuteAsync("""
            CREATE TABLE IF NOT EXISTS payments.notes (note text PRIMARY KEY, batch integer NOT NULL);
            GRANT ALL ON payments.notes TO payments_app;
            CREATE TABLE IF NOT EXISTS payments.strict_notes (note text UNIQUE DEFERRABLE INITIALLY DEFERRED);
            GRANT ALL ON payments.strict_notes TO payments_app;
            TRUNCATE payments.notes;
            """);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task SubmitAsync_ManyCallers_EachGetsItsOwnResultAndBatchesAreShared()
    {
        var batches = 0;
        await using var writer = Writer((_, _) => Interlocked.Increment(ref batches));

        var results = await Task.WhenAll(Enumerable.Range(0, 500).Select(i => writer.SubmitAsync($"n{i}", CancellationToken.None).AsTask()));

        Assert.Equal(Enumerable.Range(0, 500).Select(i => $"done n{i}"), results);
        Assert.Equal(500, (await NotesAsync()).Count);
        Assert.InRange(batches, 1, 100);
    }

    [Fact]
    public async Task SubmitAsync_OneItemViolatesAConstraint_FailsAlone()
    {
        await using var first = Writer();
        await first.SubmitAsync("taken", CancellationToken.None);
        var hold = new TaskCompletionSource();
        await using var writer = Writer(hold: hold.Task);

        var tasks = Enumerable.Range(0, 40).Select(i => writer.SubmitAsync(i == 17 ? "taken" : $"n{i}", CancellationToken.None).AsTask()).ToArray();
        hold.SetResult();
        var outcomes = await Task.WhenAll(tasks.Select(task => task.ContinueWith(done => done.Exception?.InnerException)));

        var failure = Assert.Single(outcomes, e => e is not null);
        Assert.Equal(PostgresErrorCodes.UniqueViolation, Assert.IsType<PostgresException>(failure).SqlState);
        Assert.Same(failure, outcomes[17]);
        Assert.Equal(40, (await NotesAsync()).Count);
    }

    [Fact]
    public async Task SubmitAsync_QueueIsFull_RefusesAtOnceWithRetryAfter()
    {
        var hold = new TaskCompletionSource();
        var started = new TaskCompletionSource();
        await using var writer = Writer((_, _) => started.TrySetResult(), hold.Task, Options with { QueueLimit = 2, RetryAfter = TimeSpan.FromSeconds(3) });

        var running = writer.SubmitAsync("running", CancellationToken.None).AsTask();
        await started.Task;
        var waiting = new[] { "a", "b" }.Select(note => writer.SubmitAsync(note, CancellationToken.None).AsTask()).ToArray();
        var refused = await Assert.ThrowsAsync<OverloadedException>(async () => await writer.SubmitAsync("c", CancellationToken.None));
        hold.SetResult();

        Assert.Equal(TimeSpan.FromSeconds(3), refused.RetryAfter);
        await running;
        await Task.WhenAll(waiting);
        Assert.Equal(["a", "b", "running"], await NotesAsync());
    }

    [Fact]
    public async Task SubmitAsync_CanceledWhileWaiting_IsWithdrawnAndNeverWritten()
    {
        var hold = new TaskCompletionSource();
        var started = new TaskCompletionSource();
        await using var writer = Writer((_, _) => started.TrySetResult(), hold.Task);
        using var cancel = new CancellationTokenSource();

        var running = writer.SubmitAsync("running", CancellationToken.None).AsTask();
        await started.Task;
        var waiting = writer.SubmitAsync("waiting", cancel.Token).AsTask();
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        hold.SetResult();
        await running;
        await writer.SubmitAsync("after", CancellationToken.None);
        Assert.Equal(["after", "running"], await NotesAsync());
    }

    [Fact]
    public async Task SubmitAsync_CanceledWhileItsBatchRuns_StillGetsTheRealResult()
    {
        var hold = new TaskCompletionSource();
        var started = new TaskCompletionSource();
        await using var writer = Writer((_, _) => started.TrySetResult(), hold.Task);
        using var cancel = new CancellationTokenSource();

        var running = writer.SubmitAsync("running", cancel.Token).AsTask();
        await started.Task;
        await cancel.CancelAsync();
        hold.SetResult();

        Assert.Equal("done running", await running);
        Assert.Equal(["running"], await NotesAsync());
    }

    [Fact]
    public async Task SubmitAsync_ConnectionIsKilledInsideTheBatch_IsDoneOnce()
    {
        var kills = 0;
        await using var writer = Writer(async (connection, _) =>
        {
            if (Interlocked.Increment(ref kills) == 1)
                await KillAsync(connection.ProcessID);
        });

        Assert.Equal("done n", await writer.SubmitAsync("n", CancellationToken.None));
        Assert.Equal(["n"], await NotesAsync());
        Assert.Equal(2, kills);
    }

    [Fact]
    public async Task SubmitAsync_ConnectionBrokeWhileItWasKept_IsDoneOnAnother()
    {
        var backends = new List<int>();
        await using var writer = Writer((connection, _) => backends.Add(connection.ProcessID));

        for (var i = 0; i < 4; i++)
        {
            Assert.Equal($"done n{i}", await writer.SubmitAsync($"n{i}", CancellationToken.None));
            await KillAsync(backends[^1]);
        }

        Assert.Equal(["n0", "n1", "n2", "n3"], await NotesAsync());
        Assert.Equal(4, backends.Distinct().Count());
    }

    [Fact]
    public async Task SubmitAsync_BatchesFollowEachOther_UseOneConnectionThoughOthersAreIdle()
    {
        var idle = new List<NpgsqlConnection>();
        for (var i = 0; i < 5; i++)
            idle.Add(await database.App.OpenConnectionAsync());
        foreach (var connection in idle)
            await connection.DisposeAsync();
        var backends = new List<int>();
        await using var writer = Writer((connection, _) => backends.Add(connection.ProcessID), options: Options with { ConnectionIdle = TimeSpan.FromMinutes(1) });

        for (var i = 0; i < 10; i++)
            await writer.SubmitAsync($"n{i}", CancellationToken.None);

        Assert.Single(backends.Distinct());
    }

    [Fact]
    public async Task SubmitAsync_NothingFollows_ConnectionGoesBackToThePool()
    {
        await using var single = PaymentsDataSource.Create($"{database.AppConnectionString};Maximum Pool Size=1;Timeout=30");
        var options = Options with { ConnectionIdle = TimeSpan.FromMilliseconds(50) };
        var writer = Writer(options: options, dataSource: single);

        for (var i = 0; i < 3; i++)
        {
            Assert.Equal($"done n{i}", await writer.SubmitAsync($"n{i}", CancellationToken.None));

            // The pool has no other: this waits for it.
            await using var connection = await single.OpenConnectionAsync();
        }

        await writer.SubmitAsync("last", CancellationToken.None);
        await writer.DisposeAsync();
        await using var after = await single.OpenConnectionAsync();
        Assert.Equal(["last", "n0", "n1", "n2"], await NotesAsync());
    }

    [Fact]
    public async Task SubmitAsync_CallersComeAndGo_NoneIsForgotten()
    {
        await using var writer = Writer();

        // Callers that are alone, and callers that meet others at every moment of a batch.
        await Task.WhenAll(Enumerable.Range(0, 4).Select(caller => Task.Run(async () =>
        {
            var random = new Random(caller);
            for (var i = 0; i < 100; i++)
            {
                using var cancel = new CancellationTokenSource();
                Assert.Equal($"done {caller}-{i}", await writer.SubmitAsync($"{caller}-{i}", i % 2 == 0 ? cancel.Token : CancellationToken.None).AsTask().WaitAsync(TimeSpan.FromMinutes(1)));
                if (random.Next(3) == 0)
                    await Task.Delay(random.Next(5));
            }
        })));

        Assert.Equal(400, (await NotesAsync()).Count);
    }

    [Fact]
    public async Task WasCommittedAsync_AnswerOfTheCommitWasLost_TellsWhatTheServerDid()
    {
        var marker = new CommitMarker(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()));
        var now = TimeProvider.System.GetUtcNow();

        // In the pool another test's killed session may still lie.
        database.App.Clear();
        foreach (var arrives in new[] { true, false, true, false })
        {
            await using (var connection = await database.App.OpenConnectionAsync())
            {
                await using var transaction = await connection.BeginTransactionAsync();
                await connection.ExecuteAsync("INSERT INTO payments.notes VALUES (@note, 0)", new { note = Guid.CreateVersion7(now).ToString() }, transaction);
                if (arrives)
                {
                    await CommitAsync(connection, transaction);
                }
                else
                {
                    await KillAsync(connection.ProcessID);
                    await Assert.ThrowsAnyAsync<NpgsqlException>(() => CommitAsync(connection, transaction));
                }
            }

            await using var asking = await database.App.OpenConnectionAsync();
            Assert.Equal(arrives, await marker.WasCommittedAsync(asking, now));
        }

        Assert.Equal(2, (await NotesAsync()).Count);

        async Task CommitAsync(NpgsqlConnection connection, NpgsqlTransaction transaction)
        {
            await using var batch = new NpgsqlBatch(connection, transaction);
            marker.AddTo(batch, now);
            await batch.ExecuteNonQueryAsync();
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task SubmitAsync_CommittedWithTheLastStatementsAndTheConnectionIsLost_IsDoneOnceAndAnswered(bool arrives)
    {
        var tries = 0;
        await using var writer = Committing(async (connection, batch) =>
        {
            var first = Interlocked.Increment(ref tries) == 1;
            if (first && !arrives)
                await KillAsync(connection.ProcessID);
            await batch.ExecuteNonQueryAsync();
            if (first)
            {
                await KillAsync(connection.ProcessID);
                await connection.ExecuteAsync("SELECT 1");
            }
        });

        Assert.Equal(arrives ? "lost a" : "done a", await writer.SubmitAsync("a", CancellationToken.None));
        Assert.Equal("done b", await writer.SubmitAsync("b", CancellationToken.None));

        Assert.Equal(["a", "b"], await NotesAsync());
        Assert.Equal(arrives ? 2 : 3, tries);
    }

    /// <summary>A server that spreads rows over nodes may answer COMMIT with an error after a node has committed.</summary>
    [Fact]
    public async Task SubmitAsync_CommitIsAnsweredWithAnErrorAlthoughItCommitted_IsDoneOnceAndAnswered()
    {
        var tries = 0;
        await using var writer = Committing(async (_, batch) =>
        {
            // The session lives on: all that the caller sees of the commit is an ordinary error.
            if (Interlocked.Increment(ref tries) == 1)
                batch.BatchCommands.Add(new NpgsqlBatchCommand("SELECT 1 / 0"));
            await batch.ExecuteNonQueryAsync();
        });

        Assert.Equal("lost a", await writer.SubmitAsync("a", CancellationToken.None));
        Assert.Equal("done b", await writer.SubmitAsync("b", CancellationToken.None));

        Assert.Equal(["a", "b"], await NotesAsync());
        Assert.Equal(2, tries);
    }

    /// <summary>The other way round: a constraint that is checked at the commit.</summary>
    [Fact]
    public async Task SubmitAsync_CommitIsRefused_NothingIsCommittedAndTheItemFails()
    {
        await using var writer = Committing(async (_, batch) =>
        {
            batch.BatchCommands.Insert(0, new NpgsqlBatchCommand("INSERT INTO payments.strict_notes VALUES ('n'), ('n')"));
            await batch.ExecuteNonQueryAsync();
        });

        var refused = await Assert.ThrowsAsync<PostgresException>(async () => await writer.SubmitAsync("a", CancellationToken.None));

        Assert.Equal(PostgresErrorCodes.UniqueViolation, refused.SqlState);
        Assert.Empty(await NotesAsync());
    }

    [Fact]
    public async Task SubmitAsync_LastStatementsAreRefused_NothingIsCommittedAndTheItemFails()
    {
        await using var writer = Committing(async (_, batch) =>
        {
            batch.BatchCommands.Insert(1, new NpgsqlBatchCommand("SELECT 1 / 0"));
            await batch.ExecuteNonQueryAsync();
        });

        await Assert.ThrowsAsync<PostgresException>(async () => await writer.SubmitAsync("a", CancellationToken.None));
        Assert.Empty(await NotesAsync());
    }

    [Fact]
    public async Task SubmitAsync_LastStatementsAreRefusedAndItIsDoneOtherwise_IsCommittedAllTheSame()
    {
        await using var writer = new GroupCommit<string, string>("notes", database.App, async (connection, transaction, items, commit, ct) =>
        {
            await using var batch = new NpgsqlBatch(connection, transaction) { BatchCommands = { new("INSERT INTO payments.notes VALUES ('refused', 0)"), new("SELECT 1 / 0") } };
            commit.AddTo(batch, ["lost"]);
            await Assert.ThrowsAsync<PostgresException>(() => batch.ExecuteNonQueryAsync(ct));
            await connection.ExecuteAsync("ROLLBACK AND CHAIN");
            commit.Undone();
            await connection.ExecuteAsync("INSERT INTO payments.notes SELECT note, 0 FROM unnest(@items) note", new { items }, transaction);
            return [.. items.Select(item => $"done {item}")];
        }, Options, TimeProvider.System);

        Assert.Equal("done a", await writer.SubmitAsync("a", CancellationToken.None));
        Assert.Equal(["a"], await NotesAsync());
    }

    [Fact]
    public async Task DisposeAsync_ItemsAreWaiting_FinishesThemFirst()
    {
        var writer = Writer();
        var tasks = Enumerable.Range(0, 50).Select(i => writer.SubmitAsync($"n{i}", CancellationToken.None).AsTask()).ToArray();

        await writer.DisposeAsync();

        Assert.All(tasks, task => Assert.True(task.IsCompletedSuccessfully));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await writer.SubmitAsync("late", CancellationToken.None));
    }

    /// <summary>Writes notes with statements that commit themselves.</summary>
    private GroupCommit<string, string> Committing(Func<NpgsqlConnection, NpgsqlBatch, Task> execute) =>
        new("notes", database.App, async (connection, transaction, items, commit, ct) =>
        {
            await using var batch = new NpgsqlBatch(connection, transaction)
            {
                BatchCommands = { new("INSERT INTO payments.notes SELECT note, 0 FROM unnest($1) note") { Parameters = { new() { Value = items.ToArray() } } } },
            };
            commit.AddTo(batch, [.. items.Select(item => $"lost {item}")]);
            await execute(connection, batch);
            return [.. items.Select(item => $"done {item}")];
        }, Options, TimeProvider.System);

    private GroupCommit<string, string> Writer(Action<NpgsqlConnection, IReadOnlyList<string>> inBatch, Task? hold = null, GroupCommitOptions? options = null) =>
        Writer((connection, items) =>
        {
            inBatch(connection, items);
            return Task.CompletedTask;
        }, hold, options);

    private GroupCommit<string, string> Writer(
        Func<NpgsqlConnection, IReadOnlyList<string>, Task>? inBatch = null, Task? hold = null, GroupCommitOptions? options = null, NpgsqlDataSource? dataSource = null) =>
        new("notes", dataSource ?? database.App, async (connection, transaction, items, ct) =>
        {
            await connection.ExecuteAsync(new CommandDefinition(
                "INSERT INTO payments.notes SELECT note, @count FROM unnest(@items) note",
                new { items, count = items.Count }, transaction, cancellationToken: ct));
            if (inBatch is not null)
                await inBatch(connection, items);
            if (hold is not null)
                await hold;
            return [.. items.Select(item => $"done {item}")];
        }, options ?? Options, TimeProvider.System);

    private async Task KillAsync(int backend)
    {
        await using var connection = await database.App.OpenConnectionAsync();
        await connection.ExecuteAsync("SELECT pg_terminate_backend(@backend, 5000)", new { backend });
    }

    // Not from the app's pool, in which another test's killed session may still lie.
    private async Task<List<string>> NotesAsync()
    {
        await using var connection = await database.Owner.OpenConnectionAsync();
        return (await connection.QueryAsync<string>("SELECT note FROM payments.notes ORDER BY note COLLATE \"C\"")).AsList();
    }
}
