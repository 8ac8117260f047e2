using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Azure.Messaging.ServiceBus;
using Azure.Storage.Queues;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;
using Payments.Domain.Messaging;

namespace Payments.Benchmarks;

/// <summary>
/// Messages from the commit of their outbox row to the commit of their effect, with the inbox, on Service Bus (the double, over AMQP, in a process of
/// its own) and, where <c>AzureWebJobsStorage</c> names an account, on Storage queues. Beside them a plain consumer: one worker, and sixteen that each take
/// one row of a table with SKIP LOCKED, have the same effect and delete it, in a transaction for each.
/// </summary>
internal static class MessagingBench
{
    private const string Queue = QueueNames.WebhookDeliveries;
    private const int Workers = 16;
    private const int WarmUp = 5000;

    // As host.json says.
    private const int BatchSize = 512;

    public static async Task RunAsync(BenchRun run)
    {
        await run.ExecuteAsync(
            """
            CREATE TABLE payments.bench_effects (id uuid PRIMARY KEY, happened_at timestamptz NOT NULL);
            CREATE TABLE payments.bench_jobs (id uuid PRIMARY KEY, body jsonb NOT NULL, created_at timestamptz NOT NULL);
            GRANT ALL ON payments.bench_effects, payments.bench_jobs TO payments_app
            """);
        var count = run.Quick ? 20_000 : 100_000;
        var seconds = run.Quick ? 5 : 20;
        var one = await PollAsync(run, count / 5, 1);
        run.Report("polling a table, 1 worker", "throughput", one, "messages/s");
        var plain = await PollAsync(run, count, Workers);
        run.Report($"polling a table, {Workers} workers", "throughput", plain, "messages/s");

        using (var bus = await BusProcess.StartAsync(Queue))
        {
            await using var client = new ServiceBusClient(bus.ConnectionString);
            await using var sender = new ServiceBusMessageSender(client);
            await MeasureAsync(run, "service bus", sender, count, seconds, plain, one, bus.ProcessorTime, (consumer, stop) => ReceiveBatchesAsync(client, consumer, stop));
        }

        // AzureWebJobsStorage names another account than the emulator's.
        var service = new QueueServiceClient(Environment.GetEnvironmentVariable("AzureWebJobsStorage") is { Length: > 0 } account ? account : run.Servers.Storage);
        var queue = service.GetQueueClient(Queue);
        await queue.CreateIfNotExistsAsync();
        await MeasureAsync(run, "storage queues", new StorageQueueMessageSender(service, TimeProvider.System), count / 20, seconds, plain, one, null, async (consumer, stop) =>
            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => ReceiveAsync(queue, consumer, stop))));
    }

    private static async Task MeasureAsync(
        BenchRun run, string transport, IMessageSender sender, int count, int seconds, double plain, double one, Func<TimeSpan>? brokerTime, Func<MessageConsumer, Task, Task> consume)
    {
        await using var handler = new EffectHandler(run.App);
        var letters = new DeadLetters(run.App, new OutboxSignal(), TimeProvider.System, NullLogger<DeadLetters>.Instance);
        var dispatcher = new MessageDispatcher(run.App, [handler], letters, TimeProvider.System, NullLogger<MessageDispatcher>.Instance);
        var relay = new OutboxRelay(run.App, sender, TimeProvider.System, NullLogger<OutboxRelay>.Instance);
        var signal = new OutboxSignal();
        OutboxRelayService Service() => new(relay, signal, TimeProvider.System, NullLogger<OutboxRelayService>.Instance);
        var stop = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var consumer = new MessageConsumer(dispatcher, sender, letters, TimeProvider.System, NullLogger<MessageConsumer>.Instance);
        var consuming = consume(consumer, stop.Task);

        // A process that has just started compiles its code; what is measured comes after that.
        var few = Math.Min(WarmUp, count / 2);
        for (var left = few; left > 0; left -= 500)
            await EnqueueAsync(run.App, Math.Min(500, left), handler);
        using (var warmUp = Service())
        {
            await warmUp.StartAsync(CancellationToken.None);
            await handler.WaitAsync(few);
            await warmUp.StopAsync(CancellationToken.None);
        }

        handler.Forget();

        // Full: all at once, as fast as it goes. The plain consumer finds its rows there as well.
        for (var left = count; left > 0; left -= 500)
            await EnqueueAsync(run.App, Math.Min(500, left), handler);
        await run.ExecuteAsync("ANALYZE payments.outbox");
        var (ours, theirs) = (Environment.CpuUsage.TotalTime, brokerTime?.Invoke());
        var started = Stopwatch.GetTimestamp();
        using var service = Service();
        await service.StartAsync(CancellationToken.None);
        await handler.WaitAsync(count);
        var top = count / Stopwatch.GetElapsedTime(started).TotalSeconds;
        run.Report($"{transport}, all at once", "throughput", top, "messages/s", plain);
        run.Report($"{transport}, all at once, beside one polling worker", "throughput", top, "messages/s", one);
        run.Report($"{transport}, all at once", "processor time of relay and consumer", (Environment.CpuUsage.TotalTime - ours).TotalMicroseconds / count, "us/message");
        // The double stands in for a service that would run on other machines, and takes its share of these processors.
        if (theirs is { } before)
            run.Report($"{transport}, all at once", "processor time of the double", (brokerTime!() - before).TotalMicroseconds / count, "us/message");

        // Half of that, evenly: what a message waits when there is room.
        handler.Forget();
        var sent = 0;
        started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started).TotalSeconds < seconds)
        {
            var due = (int)(Stopwatch.GetElapsedTime(started).TotalSeconds * top / 2) - sent;
            if (due > 0)
            {
                await EnqueueAsync(run.App, due, handler);
                signal.Set();
                sent += due;
            }

            await Task.Delay(10);
        }

        await handler.WaitAsync(sent);
        run.Report($"{transport}, half of the top rate", "p50", handler.Percentile(0.50), "ms");
        run.Report($"{transport}, half of the top rate", "p99", handler.Percentile(0.99), "ms");
        await service.StopAsync(CancellationToken.None);
        stop.SetResult();
        await consuming;
    }

    private static async Task EnqueueAsync(NpgsqlDataSource dataSource, int count, EffectHandler handler)
    {
        var now = TimeProvider.System.GetUtcNow();
        OutboxMessage[] messages = [.. Enumerable.Range(0, count).Select(i => OutboxMessage.New(
            Queue, "effect", string.Create(CultureInfo.InvariantCulture, $$"""{"merchant":"mer_0198c0de5f7a7c3e8f0e3b1a2c4d5e6f","number":{{i}}}"""), now))];
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await Outbox.EnqueueAsync(connection, transaction, messages, CancellationToken.None);
        await transaction.CommitAsync();
        handler.Committed(messages.Select(message => message.Id));
    }

    /// <summary>As the host runs a batched trigger: one batch after the other, each completed when the function has ended.</summary>
    private static async Task ReceiveBatchesAsync(ServiceBusClient client, MessageConsumer consumer, Task stop)
    {
        await using var receiver = client.CreateReceiver(Queue);
        while (!stop.IsCompleted)
        {
            var messages = await receiver.ReceiveMessagesAsync(BatchSize, TimeSpan.FromMilliseconds(500));
            await consumer.ConsumeAsync(Queue, [.. messages.Select(message => message.Body.ToMemory())], CancellationToken.None);
            await Task.WhenAll(messages.Select(message => receiver.CompleteMessageAsync(message)));
        }
    }

    private static async Task ReceiveAsync(QueueClient queue, MessageConsumer consumer, Task stop)
    {
        while (!stop.IsCompleted)
        {
            var messages = await queue.ReceiveMessagesAsync(32, TimeSpan.FromSeconds(30));
            if (messages.Value.Length == 0)
                await Task.WhenAny(stop, Task.Delay(20));
            await Task.WhenAll(messages.Value.Select(async message =>
            {
                await consumer.ConsumeAsync(Queue, Convert.FromBase64String(message.Body.ToString()), CancellationToken.None);
                await queue.DeleteMessageAsync(message.MessageId, message.PopReceipt);
            }));
        }
    }

    private static async Task<double> PollAsync(BenchRun run, int count, int workers)
    {
        await run.ExecuteAsync($$"""
            TRUNCATE payments.bench_jobs;
            INSERT INTO payments.bench_jobs SELECT gen_random_uuid(), '{"merchant":"mer_0198c0de5f7a7c3e8f0e3b1a2c4d5e6f","number":1}', '2026-03-01T00:00:00Z' FROM generate_series(1, {{count + (WarmUp / workers * workers)}});
            CREATE INDEX IF NOT EXISTS bench_jobs_created ON payments.bench_jobs (created_at);
            ANALYZE payments.bench_jobs
            """);
        await Task.WhenAll(Enumerable.Range(0, workers).Select(_ => DrainAsync(run, WarmUp / workers)));
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, workers).Select(_ => DrainAsync(run, int.MaxValue)));
        return count / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static Task DrainAsync(BenchRun run, int most) => Task.Run(async () =>
    {
        await using var connection = await run.App.OpenConnectionAsync();
        for (var taken = 0; taken < most && await TakeAsync(connection); taken++)
        {
        }
    });

    private static async Task<bool> TakeAsync(NpgsqlConnection connection)
    {
        await using var transaction = await connection.BeginTransactionAsync();
        await using var take = new NpgsqlCommand("SELECT id FROM payments.bench_jobs ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED", connection, transaction);
        if (await take.ExecuteScalarAsync() is not Guid id)
            return false;
        await using var batch = new NpgsqlBatch(connection, transaction)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand("INSERT INTO payments.bench_effects VALUES ($1, $2)") { Parameters = { new() { Value = id }, new() { Value = TimeProvider.System.GetUtcNow().UtcDateTime } } },
                new NpgsqlBatchCommand("DELETE FROM payments.bench_jobs WHERE id = $1") { Parameters = { new() { Value = id } } },
            },
        };
        await batch.ExecuteNonQueryAsync();
        await transaction.CommitAsync();
        return true;
    }

    /// <summary>Has an effect once, through a group commit, as the app's handlers do.</summary>
    private sealed class EffectHandler : IMessageHandler, IAsyncDisposable
    {
        private readonly GroupCommit<Guid, bool> _commits;
        private readonly ConcurrentDictionary<Guid, long> _committed = new();
        private readonly ConcurrentQueue<double> _latencies = new();
        private int _handled;

        public EffectHandler(NpgsqlDataSource dataSource) => _commits = new("bench-effects", dataSource, WriteAsync, new GroupCommitOptions(), TimeProvider.System);

        public string Queue => MessagingBench.Queue;

        public string Type => "effect";

        public short Version => 1;

        public int Concurrency => int.MaxValue;

        public void Committed(IEnumerable<Guid> ids)
        {
            var now = Stopwatch.GetTimestamp();
            foreach (var id in ids)
                _committed.TryAdd(id, now);
        }

        public async Task HandleAsync(Message message, CancellationToken ct)
        {
            if (!await _commits.SubmitAsync(message.Id, ct))
                return;

            // A message may overtake the note of its commit: then it took no time at all.
            _latencies.Enqueue(_committed.TryGetValue(message.Id, out var at) ? Stopwatch.GetElapsedTime(at).TotalMilliseconds : 0);
            Interlocked.Increment(ref _handled);
        }

        public async Task WaitAsync(int count)
        {
            while (Volatile.Read(ref _handled) < count)
                await Task.Delay(5);
        }

        public void Forget()
        {
            _latencies.Clear();
            _handled = 0;
        }

        public double Percentile(double share)
        {
            var sorted = _latencies.Order().ToArray();
            return sorted[(int)Math.Min(sorted.Length - 1, share * sorted.Length)];
        }

        public ValueTask DisposeAsync() => _commits.DisposeAsync();

        private static async ValueTask<IReadOnlyList<bool>> WriteAsync(
            NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<Guid> ids, CancellationToken ct)
        {
            var now = TimeProvider.System.GetUtcNow();
            var fresh = await Inbox.TryRecordAsync(connection, transaction, "bench", [.. ids], now, ct);
            await using var command = new NpgsqlCommand("INSERT INTO payments.bench_effects SELECT id, $2 FROM unnest($1) AS t (id)", connection, transaction)
            {
                Parameters = { new() { Value = fresh.ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Uuid }, new() { Value = now.UtcDateTime } },
            };
            await command.ExecuteNonQueryAsync(ct);
            return [.. ids.Select(fresh.Contains)];
        }
    }
}
