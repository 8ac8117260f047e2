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
            await owner.ExecuteAsync(
                "DELETE FROM payments.outbox; CREATE TABLE IF NOT EXISTS payments.test_effects (message_id uuid); TRUNCATE payments.test_effects; GRANT ALL ON payments.test_effects TO payments_app");
        }

        _bus = ServiceBusDouble.Start(new ServiceBusDoubleOptions());
        _client = new ServiceBusClient(_bus.ConnectionString, new ServiceBusClientOptions
        {
            RetryOptions = new ServiceBusRetryOptions { MaxRetries = 2, TryTimeout = TimeSpan.FromSeconds(10), Delay = TimeSpan.FromMilliseconds(20), Mode = ServiceBusRetryMode.Fixed },
        });
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

    [Theory]
    [InlineData(7)]
    public async Task Messages_LostAcknowledgementsAndConnections_HaveEachEffectOnce(int seed)
    {
        const int Messages = 500;
        _bus.AddQueue(Queue, new QueueOptions { MaxDeliveryCount = 1000 });
        var ids = await EnqueueAsync(Enumerable.Range(0, Messages).Select(_ => "{}"));
        var random = new Random(seed);
        for (var i = 0; i < 8; i++)
        {
            var operation = random.Next(2) == 0 ? BusOperation.Send : BusOperation.Settle;
            _bus.Faults.Arm(Queue, operation, random.Next(2) == 0 ? Fault.LoseAcknowledgement : Fault.DropConnection);
        }

        var dispatcher = new MessageDispatcher(
            _database.App, [new EffectHandler(_database, _time)], new DeadLetters(_database.App, new OutboxSignal(), _time, NullLogger<DeadLetters>.Instance), _time,
            NullLogger<MessageDispatcher>.Instance);
        await using var processor = _client.CreateProcessor(Queue, new ServiceBusProcessorOptions { MaxConcurrentCalls = 16 });
        processor.ProcessMessageAsync += args => dispatcher.DispatchAsync(Queue, args.Message.Body.ToMemory(), args.CancellationToken);
        processor.ProcessErrorAsync += _ => Task.CompletedTask;
        await processor.StartProcessingAsync();
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(90));
        while (await EffectsAsync() < Messages)
        {
            await Relay().RelayAsync(deadline.Token);
            _time.Advance(TimeSpan.FromMinutes(5));
            await Task.Delay(20, deadline.Token);
        }

        await processor.StopProcessingAsync();
        await using var connection = await _database.App.OpenConnectionAsync();
        Assert.Equal(ids.Order(), (await connection.QueryAsync<Guid>("SELECT message_id FROM payments.test_effects")).Order());
        Assert.True(_bus.Faults.Injected > 0);

        async Task<long> EffectsAsync()
        {
            await using var reading = await _database.App.OpenConnectionAsync();
            return await reading.ExecuteScalarAsync<long>("SELECT count(*) FROM payments.test_effects");
        }
    }

    private OutboxRelay Relay(IMessageSender? sender = null) => new(_database.App, sender ?? _sender, _time, NullLogger<OutboxRelay>.Instance);

    private async Task<IReadOnlyList<Guid>> EnqueueAsync(IEnumerable<string> bodies)
    {
        OutboxMessage[] messages = [.. bodies.Select(body => OutboxMessage.New(Queue, "effect", body, _time.GetUtcNow()))];
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

    private sealed class EffectHandler(TestDatabase database, TimeProvider time) : IMessageHandler
    {
        public string Queue => ServiceBusTransportTests.Queue;

        public string Type => "effect";

        public short Version => 1;

        public async Task HandleAsync(Message message, CancellationToken ct)
        {
            await using var connection = await database.App.OpenConnectionAsync(ct);
            await using var transaction = await connection.BeginTransactionAsync(ct);
            if (await Inbox.TryRecordAsync(connection, transaction, "service-bus-test", message.Id, time.GetUtcNow(), ct))
                await connection.ExecuteAsync("INSERT INTO payments.test_effects VALUES (@id)", new { id = message.Id }, transaction);
            await transaction.CommitAsync(ct);
        }
    }
}
