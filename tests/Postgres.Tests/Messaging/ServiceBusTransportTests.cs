using System.Collections.Concurrent;
using Azure.Messaging.ServiceBus;
using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Payments.Domain.Messaging;
using Payments.Local.ServiceBus;

namespace Payments.Postgres.Tests.Messaging;

/// <summary>From the outbox over Service Bus, with the client that runs in Azure, to an effect in the database.</summary>
public sealed class ServiceBusTransportTests : IClassFixture<TestDatabase>, IAsyncLifetime
{
    private const string Queue = QueueNames.PayoutSubmissions;
    private readonly TestDatabase _database;
    private readonly TestTime _time = new(new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
    private ServiceBusDouble _bus = null!;
    private ServiceBusClient _client = null!;
    private ServiceBusMessageSender _sender = null!;

    public ServiceBusTransportTests(TestDatabase database) => _database = database;

    public async ValueTask InitializeAsync()
    {
        await using (var owner = await _database.Owner.OpenConnectionAsync())
        {
            await owner.ExecuteAsync("DELETE FROM payments.outbox");
        }

        _bus = ServiceBusDouble.Start(new ServiceBusDoubleOptions());
        _client = new ServiceBusClient(_bus.ConnectionString, ClientOptions());
        _sender = new ServiceBusMessageSender(_client);
    }

    public async ValueTask DisposeAsync()
    {
        await _sender.DisposeAsync();
        await _client.DisposeAsync();
        await _bus.DisposeAsync();
    }

    [Fact]
    public async Task Relay_MoreThanOneBatchHolds_SendsAll()
    {
        _bus.AddQueue(Queue);
        await EnqueueAsync(Enumerable.Range(0, 120).Select(_ => $$"""{"text":"{{new string('x', 35_000)}}"}"""));

        Assert.Equal(120, await Relay().RelayAsync(default));
        Assert.Equal(120, _bus.Counts(Queue).Ready);
    }

    [Fact]
    public async Task Relay_CrashBetweenSendingAndMarking_IsADuplicateThatTheQueueDrops()
    {
        _bus.AddQueue(Queue, new QueueOptions { DuplicateWindow = TimeSpan.FromMinutes(10) });
        await EnqueueAsync(Enumerable.Range(0, 20).Select(_ => "{}"));

        await Assert.ThrowsAsync<InvalidOperationException>(() => Relay(new CrashingSender(_sender)).RelayAsync(default));
        Assert.Equal(20, await Relay().RelayAsync(default));
        Assert.Equal(20, _bus.Counts(Queue).Ready);
    }

    [Fact]
    public async Task Relay_QueueThatRefuses_KeepsTheMessagesWithTheReason()
    {
        _bus.AddQueue(Queue);
        _bus.Faults.Arm(Queue, BusOperation.Send, Fault.Reject("amqp:resource-limit-exceeded", "full"));
        await EnqueueAsync(["{}", "{}"]);

        Assert.Equal(0, await Relay().RelayAsync(default));
        await using (var connection = await _database.App.OpenConnectionAsync())
            Assert.Equal(2, await connection.ExecuteScalarAsync<long>("SELECT count(*) FROM payments.outbox WHERE attempts = 1 AND last_error IS NOT NULL"));
        _time.Advance(OutboxRelay.PauseAfter(1));
        Assert.Equal(2, await Relay().RelayAsync(default));
    }

    /// <summary>
    /// Sends, settlements and requests fail or take effect without an answer, connections drop, the broker restarts, locks expire while their
    /// messages are handled, handlers crash before and after their commit, and some messages are poison.
    /// </summary>
    [Theory]
    [InlineData(7)]
    [InlineData(20260301)]
    public async Task Messages_UnderRandomFaultsAndRestarts_HaveEachEffectOnceAndNoneIsLost(int seed)
    {
        const int Messages = 3000;
        const int Poisoned = 6;
        var file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        var random = new Random(seed);
        var queue = $"faults-{seed}";
        var table = $"service_bus_effects_{seed}";
        var bus = Start(0);
        var port = bus.Port;
        try
        {
            await FaultyEffect.CreateTableAsync(_database, table);
            await using var client = new ServiceBusClient(bus.ConnectionString, ClientOptions());
            await using var sender = new ServiceBusMessageSender(client);
            var letters = new DeadLetters(_database.App, new OutboxSignal(), _time, NullLogger<DeadLetters>.Instance);
            var handler = new FaultyEffect(queue, table, _database, _time, seed) { OutlivesItsLock = TimeSpan.FromSeconds(1.5) };
            var dispatcher = new MessageDispatcher(_database.App, [handler], letters, _time, NullLogger<MessageDispatcher>.Instance);
            var consumer = new MessageConsumer(dispatcher, sender, letters, _time, NullLogger<MessageConsumer>.Instance);
            var ids = await EnqueueAsync(Enumerable.Range(0, Messages).Select(_ => "{}"), queue);
            var poison = await EnqueueAsync(Enumerable.Range(0, Poisoned).Select(_ => FaultyEffect.Poison), queue);

            using var stop = new CancellationTokenSource();
            var errors = new ConcurrentQueue<Exception>();
            var consuming = Enumerable.Range(0, 2).Select(_ => Task.Run(() => ConsumeAsync(client, consumer, queue, errors, stop.Token))).ToArray();
            var restarts = 0;
            var deadline = TimeProvider.System.GetTimestamp();
            while (await CountAsync($"SELECT count(*) FROM payments.{table}") < Messages
                || await CountAsync($"SELECT count(*) FROM payments.dead_letters WHERE queue = '{queue}'") < Poisoned)
            {
                if (TimeProvider.System.GetElapsedTime(deadline) > TimeSpan.FromMinutes(4))
                {
                    var (effects, waiting) = (await CountAsync($"SELECT count(*) FROM payments.{table}"), await CountAsync("SELECT count(*) FROM payments.outbox"));
                    Assert.Fail($"it does not come to an end: {effects} effects, {waiting} in the outbox, {bus.Counts(queue)}, {restarts} restarts, "
                        + $"consumers {string.Join(", ", consuming.Select(consumer => consumer.Status))}, their last errors {string.Join("; ", errors.TakeLast(3))}");
                }

                await Relay(sender).RelayAsync(default);
                _time.Advance(TimeSpan.FromMinutes(5));
                if (restarts < 2 && await CountAsync($"SELECT count(*) FROM payments.{table}") >= (restarts + 1) * 1000)
                {
                    restarts++;
                    await bus.DisposeAsync();
                    bus = Start(port);
                }

                await Task.Delay(20);
            }

            await stop.CancelAsync();
            await Task.WhenAll(consuming);
            await using var connection = await _database.App.OpenConnectionAsync();
            Assert.Equal(ids.Order(), (await connection.QueryAsync<Guid>($"SELECT message_id FROM payments.{table}")).Order());
            Assert.Equal(poison.Order(), (await connection.QueryAsync<Guid>("SELECT message_id FROM payments.dead_letters WHERE queue = @queue", new { queue })).Order());
            Assert.Equal(2, restarts);
            Assert.True(handler.Slow > 0 && bus.Faults.Injected > 0, "nothing went wrong, so nothing was proved");
        }
        finally
        {
            await bus.DisposeAsync();
            File.Delete(file);
        }

        ServiceBusDouble Start(int port)
        {
            var options = new QueueOptions { LockDuration = TimeSpan.FromSeconds(1), MaxDeliveryCount = 1000, DuplicateWindow = TimeSpan.FromMinutes(10) };
            var started = ServiceBusDouble.Start(new ServiceBusDoubleOptions
            {
                Port = port,
                DataFile = file,
                Entities = new EntityFile { Queues = new Dictionary<string, QueueOptions> { [queue] = options } },
            });
            started.Faults.Inject = (_, operation) =>
            {
                lock (random)
                {
                    // A send carries hundreds of messages, a settlement one.
                    return random.Next(operation == BusOperation.Send ? 40 : 2000) switch
                    {
                        0 or 1 => Fault.LoseAcknowledgement,
                        2 or 3 => Fault.DropConnection,
                        4 or 5 or 6 => Fault.Reject("amqp:internal-error", "drawn"),
                        _ => Fault.None,
                    };
                }
            };
            return started;
        }
    }

    [Fact]
    public async Task Sessions_MessagesOfOneKey_AreHandledInTheOrderTheyWereWritten()
    {
        _bus.AddQueue(Queue, new QueueOptions { RequiresSession = true });
        await EnqueueAsync(Enumerable.Range(0, 200).Select(n => $$"""{"n":{{n}}}"""), orderKey: n => $"key-{n % 5}");
        await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Relay().RelayAsync(default)));
        await Relay().RelayAsync(default);

        for (var key = 0; key < 5; key++)
        {
            await using var session = await _client.AcceptSessionAsync(Queue, $"key-{key}");
            var numbers = new List<int>();
            while (numbers.Count < 40)
            {
                foreach (var message in await session.ReceiveMessagesAsync(40, TimeSpan.FromSeconds(10)))
                {
                    numbers.Add(MessageEnvelope.Parse(message.Body.ToMemory().Span)!.Body!.Value.GetProperty("n").GetInt32());
                    await session.CompleteMessageAsync(message);
                }
            }

            Assert.Equal(Enumerable.Range(0, 40).Select(i => (i * 5) + key), numbers);
        }
    }

    [Fact]
    public async Task Relay_MessageDueSoon_IsScheduledAtTheBroker()
    {
        _bus.AddQueue(Queue);
        var now = TimeProvider.System.GetUtcNow();
        var clock = new TestTime(now);
        await EnqueueAsync(["{}"], at: now, delay: TimeSpan.FromMinutes(3));
        await new OutboxRelay(_database.App, _sender, clock, NullLogger<OutboxRelay>.Instance).RelayAsync(default);

        Assert.Equal((0, 1), (_bus.Counts(Queue).Ready, _bus.Counts(Queue).Scheduled));
    }

    /// <summary>As the platform's listener does: whatever the client makes of a connection that drops or a broker that restarts, the next call connects anew.</summary>
    private static async Task ConsumeAsync(ServiceBusClient client, MessageConsumer consumer, string queue, ConcurrentQueue<Exception> errors, CancellationToken stopping)
    {
        await using var receiver = client.CreateReceiver(queue, new ServiceBusReceiverOptions { PrefetchCount = 64 });
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                var messages = await receiver.ReceiveMessagesAsync(128, TimeSpan.FromMilliseconds(200), CancellationToken.None);
                var outcomes = await consumer.ConsumeAsync(queue, [.. messages.Select(message => message.Body.ToMemory())], default);
                await Task.WhenAll(messages.Select((message, i) => SettleAsync(receiver, message, outcomes[i])));
            }
#pragma warning disable CA1031 // Not only ServiceBusException: a drain that is not answered in time is a bare TimeoutException, for one.
            catch (Exception e)
#pragma warning restore CA1031
            {
                errors.Enqueue(e);
            }
        }
    }

    private static async Task SettleAsync(ServiceBusReceiver receiver, ServiceBusReceivedMessage message, ConsumeOutcome outcome)
    {
        try
        {
            if (outcome.Redeliver)
                await receiver.AbandonMessageAsync(message);
            else
                await receiver.CompleteMessageAsync(message);
        }
        catch (ServiceBusException)
        {
            // It comes again.
        }
    }

    private static ServiceBusClientOptions ClientOptions() => new()
    {
        RetryOptions = new ServiceBusRetryOptions { MaxRetries = 2, TryTimeout = TimeSpan.FromSeconds(10), Delay = TimeSpan.FromMilliseconds(20), Mode = ServiceBusRetryMode.Fixed },
    };

    private async Task<long> CountAsync(string sql)
    {
        await using var connection = await _database.App.OpenConnectionAsync();
        return await connection.ExecuteScalarAsync<long>(sql);
    }

    private OutboxRelay Relay(IMessageSender? sender = null) => new(_database.App, sender ?? _sender, _time, NullLogger<OutboxRelay>.Instance);

    private async Task<IReadOnlyList<Guid>> EnqueueAsync(
        IEnumerable<string> bodies, string queue = Queue, Func<int, string>? orderKey = null, DateTimeOffset? at = null, TimeSpan delay = default)
    {
        OutboxMessage[] messages = [.. bodies.Select((body, i) => OutboxMessage.New(queue, "effect", body, at ?? _time.GetUtcNow(), delay) with { OrderKey = orderKey?.Invoke(i) })];
        await using var connection = await _database.App.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await Outbox.EnqueueAsync(connection, transaction, messages, default);
        await transaction.CommitAsync();
        return [.. messages.Select(message => message.Id)];
    }

    private sealed class CrashingSender(IMessageSender inner) : IMessageSender
    {
        public async Task<IReadOnlyList<string?>> SendAsync(string queue, IReadOnlyList<MessageEnvelope> messages, CancellationToken ct)
        {
            await inner.SendAsync(queue, messages, ct);
            throw new InvalidOperationException("crash");
        }
    }
}
