using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Payments.Domain.Messaging;

namespace Payments.Postgres.Tests.Messaging;

/// <summary>The whole way of a message, under faults drawn from a seed.</summary>
public sealed class MessagingFaultTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private const int Messages = 3000;

    [Theory]
    [InlineData(1)]
    [InlineData(20260301)]
    public async Task Messages_UnderRandomFaults_HaveEachEffectOnceAndNoneIsLost(int seed)
    {
        var time = new TestTime(new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
        var queue = $"effects_{seed}";
        await using (var owner = await database.Owner.OpenConnectionAsync())
            await owner.ExecuteAsync($"DROP TABLE IF EXISTS payments.{queue}; CREATE TABLE payments.{queue} (message_id uuid); GRANT ALL ON payments.{queue} TO payments_app");

        var broker = new FaultyBroker(seed);
        var relay = new OutboxRelay(database.App, broker, time, NullLogger<OutboxRelay>.Instance);
        var ids = new List<Guid>();
        var random = new Random(seed);
        while (ids.Count < Messages)
        {
            var batch = Enumerable.Range(0, random.Next(1, 40)).Select(_ => OutboxMessage.New(queue, "effect", "{}", time.GetUtcNow(), TimeSpan.FromSeconds(random.Next(0, 3)))).ToArray();
            await using var connection = await database.App.OpenConnectionAsync();
            await using var transaction = await connection.BeginTransactionAsync();
            await Outbox.EnqueueAsync(connection, transaction, batch, default);
            if (random.Next(10) == 0)
                continue;
            await transaction.CommitAsync();
            ids.AddRange(batch.Select(m => m.Id));
        }

        // Relays that crash and consumers that crash, until everything is quiet.
        var dispatcher = new MessageDispatcher(
            database.App,
            [new EffectHandler(queue, database, time, seed)],
            new DeadLetters(database.App, new OutboxSignal(), time, NullLogger<DeadLetters>.Instance),
            time,
            NullLogger<MessageDispatcher>.Instance);
        for (var round = 0; round < 500 && (round < 10 || !broker.IsEmpty || await OutboxAsync() > 0); round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => IgnoreCrashAsync(() => relay.RelayAsync(default))));
            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => ConsumeAsync(broker, dispatcher, queue)));
            time.Advance(TimeSpan.FromSeconds(30));
        }

        await using var check = await database.App.OpenConnectionAsync();
        var effects = (await check.QueryAsync<Guid>($"SELECT message_id FROM payments.{queue}")).ToArray();
        Assert.Equal(ids.Order(), effects.Order());
        Assert.True(broker.Delivered > Messages, "no duplicate was delivered, so nothing was proved");

        async Task<long> OutboxAsync()
        {
            await using var connection = await database.App.OpenConnectionAsync();
            return await connection.ExecuteScalarAsync<long>("SELECT count(*) FROM payments.outbox WHERE queue = @queue", new { queue });
        }
    }

    private static async Task ConsumeAsync(FaultyBroker broker, MessageDispatcher dispatcher, string queue)
    {
        while (broker.TryReceive() is { } raw)
        {
            try
            {
                await dispatcher.DispatchAsync(queue, raw, default);
                if (broker.LosesTheSettlement())
                    broker.Return(raw);
            }
            catch (CrashException)
            {
                broker.Return(raw);
            }
        }
    }

    private static async Task IgnoreCrashAsync(Func<Task> action)
    {
        try
        {
            await action();
        }
        catch (CrashException)
        {
        }
    }

    private sealed class CrashException : Exception;

    /// <summary>Refuses, takes twice, loses its answer, and hands out in any order.</summary>
    private sealed class FaultyBroker(int seed) : IMessageSender
    {
        private readonly Random _random = new(seed);
        private readonly Lock _gate = new();
        private readonly List<ReadOnlyMemory<byte>> _messages = [];

        public int Delivered { get; private set; }

        public bool IsEmpty
        {
            get
            {
                lock (_gate)
                    return _messages.Count == 0;
            }
        }

        public Task<IReadOnlyList<string?>> SendAsync(string queue, IReadOnlyList<MessageEnvelope> messages, CancellationToken ct)
        {
            lock (_gate)
            {
                var errors = new string?[messages.Count];
                for (var i = 0; i < messages.Count; i++)
                {
                    switch (_random.Next(20))
                    {
                        case 0:
                            errors[i] = "throttled";
                            break;
                        case 1:
                            _messages.Add(messages[i].ToUtf8());
                            errors[i] = "the acknowledgement was lost";
                            break;
                        default:
                            _messages.Add(messages[i].ToUtf8());
                            break;
                    }
                }

                return _random.Next(8) == 0 ? throw new CrashException() : Task.FromResult<IReadOnlyList<string?>>(errors);
            }
        }

        public ReadOnlyMemory<byte>? TryReceive()
        {
            lock (_gate)
            {
                if (_messages.Count == 0)
                    return null;
                var at = _random.Next(_messages.Count);
                var message = _messages[at];
                _messages[at] = _messages[^1];
                _messages.RemoveAt(_messages.Count - 1);
                Delivered++;
                return message;
            }
        }

        public bool LosesTheSettlement()
        {
            lock (_gate)
                return _random.Next(10) == 0;
        }

        public void Return(ReadOnlyMemory<byte> message)
        {
            lock (_gate)
                _messages.Add(message);
        }
    }

    /// <summary>An effect in the database that may crash before its commit, or right after it.</summary>
    private sealed class EffectHandler(string queue, TestDatabase database, TimeProvider time, int seed) : IMessageHandler
    {
        private readonly Random _random = new(seed);

        public string Queue => queue;

        public string Type => "effect";

        public short Version => 1;

        public async Task HandleAsync(Message message, CancellationToken ct)
        {
            var draw = Draw();
            await using var connection = await database.App.OpenConnectionAsync(ct);
            await using var transaction = await connection.BeginTransactionAsync(ct);
            if (await Inbox.TryRecordAsync(connection, transaction, queue, message.Id, time.GetUtcNow(), ct))
                await connection.ExecuteAsync($"INSERT INTO payments.{queue} VALUES (@id)", new { id = message.Id }, transaction);
            if (draw == 0)
                throw new CrashException();
            await transaction.CommitAsync(ct);
            if (draw == 1)
                throw new CrashException();
        }

        private int Draw()
        {
            lock (_random)
                return _random.Next(12);
        }
    }
}
