using Azure;
using Azure.Storage.Queues;
using Azure.Storage.Queues.Models;
using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Payments.Domain.Messaging;

namespace Payments.Postgres.Tests.Messaging;

/// <summary>From the outbox over Storage queues to an effect in the database.</summary>
public sealed class StorageTransportTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private readonly TestTime _time = new(new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));

    /// <summary>Messages show themselves again while they are handled, deletions are lost, handlers crash before and after their commit, some are poison.</summary>
    [Theory]
    [InlineData(7)]
    public async Task Messages_UnderRandomFaults_HaveEachEffectOnceAndNoneIsLost(int seed)
    {
        const int Messages = 1000;
        const int Poisoned = 4;
        var service = Connect();
        var name = $"faults-{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}";
        var table = $"storage_effects_{seed}";
        await FaultyEffect.CreateTableAsync(database, table);
        var sender = new LosingSender(new StorageQueueMessageSender(service, _time), seed);
        var letters = new DeadLetters(database.App, new OutboxSignal(), _time, NullLogger<DeadLetters>.Instance);
        var handler = new FaultyEffect(name, table, database, _time, seed) { OutlivesItsLock = TimeSpan.FromSeconds(2.5) };
        var dispatcher = new MessageDispatcher(database.App, [handler], letters, _time, NullLogger<MessageDispatcher>.Instance);
        var consumer = new MessageConsumer(dispatcher, sender, letters, _time, NullLogger<MessageConsumer>.Instance);
        var ids = await EnqueueAsync(name, Messages, "{}");
        var poison = await EnqueueAsync(name, Poisoned, FaultyEffect.Poison);
        var relay = new OutboxRelay(database.App, sender, _time, NullLogger<OutboxRelay>.Instance);
        var queue = service.GetQueueClient(name);
        await queue.CreateIfNotExistsAsync();

        var random = new Random(seed);
        var started = TimeProvider.System.GetTimestamp();
        while (await CountAsync($"SELECT count(*) FROM payments.{table}") < Messages || await CountAsync($"SELECT count(*) FROM payments.dead_letters WHERE queue = '{name}'") < Poisoned)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromMinutes(3), "it does not come to an end");
            await relay.RelayAsync(default);
            // As if each retry's time had come: the clock of the app is beyond it when the copy is made.
            _time.Advance(TimeSpan.FromMinutes(5));
            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => ConsumeAsync()));
        }

        await using var connection = await database.App.OpenConnectionAsync();
        Assert.Equal(ids.Order(), (await connection.QueryAsync<Guid>($"SELECT message_id FROM payments.{table}")).Order());
        Assert.Equal(poison.Order(), (await connection.QueryAsync<Guid>("SELECT message_id FROM payments.dead_letters WHERE queue = @name", new { name })).Order());
        Assert.True(handler.Slow > 0 && sender.Lost > 0, "nothing went wrong, so nothing was proved");
        await queue.DeleteAsync();

        async Task ConsumeAsync()
        {
            QueueMessage[] messages = await queue.ReceiveMessagesAsync(32, TimeSpan.FromSeconds(2));
            await Task.WhenAll(messages.Select(async message =>
            {
                try
                {
                    await consumer.ConsumeAsync(name, Convert.FromBase64String(message.Body.ToString()), default);
                    bool lost;
                    lock (random)
                        lost = random.Next(20) == 0;
                    if (!lost)
                        await queue.DeleteMessageAsync(message.MessageId, message.PopReceipt);
                }
                catch (MessageNotHandledException)
                {
                    // It shows itself again.
                }
                catch (RequestFailedException e) when (e.Status is 400 or 404)
                {
                    // Somebody else has it by now.
                }
            }));
        }
    }

    [Fact]
    public async Task Send_NotBeforeATime_HidesTheMessageUntilThen()
    {
        var service = Connect();
        var name = $"later-{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}";
        var now = TimeProvider.System.GetUtcNow();
        var envelope = new MessageEnvelope(Guid.CreateVersion7(now), "effect", 1, System.Text.Json.JsonElement.Parse("{}"), null, null, now) { NotBefore = now.AddSeconds(2) };
        Assert.Equal([null], await new StorageQueueMessageSender(service, TimeProvider.System).SendAsync(name, [envelope], default));

        var queue = service.GetQueueClient(name);
        QueueMessage[] messages = await queue.ReceiveMessagesAsync(1);
        Assert.Empty(messages);
        while (messages.Length == 0 && TimeProvider.System.GetUtcNow() < now.AddSeconds(30))
        {
            await Task.Delay(100);
            messages = await queue.ReceiveMessagesAsync(1);
        }

        Assert.Single(messages);
        await queue.DeleteAsync();
    }

    private static QueueServiceClient Connect() => new(TestServer.Storage);

    private async Task<IReadOnlyList<Guid>> EnqueueAsync(string queue, int count, string body)
    {
        OutboxMessage[] messages = [.. Enumerable.Range(0, count).Select(_ => OutboxMessage.New(queue, "effect", body, _time.GetUtcNow()))];
        await using var connection = await database.App.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await Outbox.EnqueueAsync(connection, transaction, messages, default);
        await transaction.CommitAsync();
        return [.. messages.Select(message => message.Id)];
    }

    private async Task<long> CountAsync(string sql)
    {
        await using var connection = await database.App.OpenConnectionAsync();
        return await connection.ExecuteScalarAsync<long>(sql);
    }

    /// <summary>Sends, and now and then loses the answer, or sends nothing. What is put off is due at once, so that a test need not wait.</summary>
    private sealed class LosingSender(IMessageSender inner, int seed) : IMessageSender
    {
        private readonly Random _random = new(seed);
        private int _lost;

        public int Lost => _lost;

        public async Task<IReadOnlyList<string?>> SendAsync(string queue, IReadOnlyList<MessageEnvelope> messages, CancellationToken ct)
        {
            var kept = messages.Where(_ => Draw() != 0).ToHashSet();
            var sent = (await inner.SendAsync(queue, [.. kept.Select(message => message with { NotBefore = null })], ct)).Zip(kept).ToDictionary(pair => pair.Second, pair => pair.First);
            return [.. messages.Select(message => !sent.TryGetValue(message, out var error) ? "refused" : Draw() == 0 ? "the answer was lost" : error)];
        }

        private int Draw()
        {
            int draw;
            lock (_random)
                draw = _random.Next(40);
            if (draw == 0)
                Interlocked.Increment(ref _lost);
            return draw;
        }
    }
}
