using System.Collections.Concurrent;
using System.Text;
using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Payments.Domain.Audit;
using Payments.Domain.Messaging;

namespace Payments.Postgres.Tests.Messaging;

/// <summary>What becomes of messages whose handler fails, alone and among others.</summary>
public sealed class MessageConsumerTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncLifetime
{
    private readonly TestTime _time = new(new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
    private readonly MemorySender _sender = new();

    // A queue of the test's own, so that no test sees another's rows.
    private readonly string _queue = $"consumer-{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}";

    // A relay takes whatever is due.
    public async ValueTask InitializeAsync()
    {
        await using var connection = await database.App.OpenConnectionAsync();
        await connection.ExecuteAsync("DELETE FROM payments.outbox");
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task Consume_OneBadMessageAmongMany_OthersAreHandledOnceAndItComesLater()
    {
        var handler = new Handler(_queue) { Fails = message => message.Body.GetProperty("n").GetInt32() == 7 };
        var outcomes = await Consumer(handler).ConsumeAsync(_queue, [.. Enumerable.Range(0, 40).Select(i => Raw(i))], default);

        Assert.DoesNotContain(outcomes, outcome => outcome.Redeliver);
        Assert.Equal(["boom"], outcomes.Where(outcome => outcome.Error is not null).Select(outcome => outcome.Error!.Message));
        Assert.Equal(Enumerable.Range(0, 40).Where(i => i != 7), handler.Handled.Order());
        var (queue, copy) = Assert.Single(_sender.Sent);
        Assert.Equal(_queue, queue);
        Assert.Equal(1, copy.Failures);
        Assert.Equal(_time.GetUtcNow().AddSeconds(2), copy.NotBefore);
    }

    [Fact]
    public async Task Consume_FailingForGood_WaitsLongerEachTimeAndEndsAmongTheDeadLettersWithTheReason()
    {
        var handler = new Handler(_queue) { Fails = _ => true };
        var consumer = Consumer(handler);
        var raw = Raw(1);
        var pauses = new List<TimeSpan>();
        var ids = new HashSet<string>();
        while (true)
        {
            await consumer.ConsumeAsync(_queue, raw, default);
            if (!_sender.Sent.TryDequeue(out var sent))
                break;
            pauses.Add(sent.Message.NotBefore!.Value - _time.GetUtcNow());
            Assert.True(ids.Add(sent.Message.TransportId), "a queue that drops duplicates would have dropped the retry");
            raw = sent.Message.ToUtf8();
        }

        Assert.Equal(7, pauses.Count);
        Assert.Equal(pauses.Order(), pauses);
        var letter = Assert.Single(await Letters().ListAsync(_queue, null, 10, default));
        Assert.Equal("Its handler failed 8 times, at last with InvalidOperationException: boom", letter.Reason);

        // Put back, it has all its tries again.
        Assert.True(await Letters().ReplayAsync(letter.Id, Actor.Platform("ada"), default));
        await Relay().RelayAsync(default);
        Assert.True(_sender.Sent.TryDequeue(out var replayed));
        Assert.Equal(0, replayed.Message.Failures);
        Assert.True(ids.Add(replayed.Message.TransportId));
    }

    [Fact]
    public async Task Consume_NeitherHandledNorPutOff_StaysOnTheQueue()
    {
        _sender.Fault = _ => "The broker is away.";
        var handler = new Handler(_queue) { Fails = _ => true };

        Assert.True(Assert.Single(await Consumer(handler).ConsumeAsync(_queue, [Raw(1)], default)).Redeliver);
        await Assert.ThrowsAsync<MessageNotHandledException>(() => Consumer(handler).ConsumeAsync(_queue, Raw(1), default));
    }

    [Fact]
    public async Task Consume_FailureOfAnOrderedMessage_KeepsItsTurn()
    {
        var handler = new Handler(_queue) { Fails = _ => true };

        Assert.True(Assert.Single(await Consumer(handler).ConsumeAsync(_queue, [Raw(1, orderKey: "po_1")], default)).Redeliver);
        Assert.Empty(_sender.Sent);
    }

    [Fact]
    public async Task Consume_ProcessStops_IsNoFailureOfTheMessage()
    {
        using var stopping = new CancellationTokenSource();
        await stopping.CancelAsync();
        var handler = new Handler(_queue) { Fails = _ => throw new OperationCanceledException(stopping.Token) };

        Assert.True(Assert.Single(await Consumer(handler).ConsumeAsync(_queue, [Raw(1)], stopping.Token)).Redeliver);
        Assert.Empty(_sender.Sent);
    }

    [Fact]
    public async Task Consume_Batch_RunsAsManySideBySideAsTheHandlerAllows()
    {
        var handler = new Handler(_queue) { Concurrency = 4, Takes = TimeSpan.FromMilliseconds(5) };
        await Consumer(handler).ConsumeAsync(_queue, [.. Enumerable.Range(0, 60).Select(i => Raw(i))], default);

        Assert.Equal(60, handler.Handled.Count);
        Assert.InRange(handler.MostAtOnce, 2, 4);
    }

    [Fact]
    public async Task Relay_MessagesOfOneKey_LeaveInOrderThoughRelaysRaceAndSendsFail()
    {
        var random = new Random(11);
        for (var i = 0; i < 40; i++)
            await EnqueueAsync([.. Enumerable.Range(0, 30).Select(n => Message($$"""{"n":{{(i * 30) + n}}}""") with { OrderKey = $"key-{n % 3}" })]);
        _sender.Fault = _ =>
        {
            lock (random)
                return random.Next(200) == 0 ? "throttled" : null;
        };
        // A batch that fails fails from there on, as on Service Bus.
        var sender = new OrderedSender(_sender);
        for (var round = 0; round < 200 && _sender.Sent.Count < 1200; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Run(() => Relay(sender).RelayAsync(default))));
            _time.Advance(TimeSpan.FromMinutes(5));
        }

        foreach (var key in _sender.Sent.Where(sent => sent.Queue == _queue).GroupBy(sent => sent.Message.OrderKey))
        {
            var numbers = key.Select(sent => sent.Message.Body!.Value.GetProperty("n").GetInt32()).ToArray();
            Assert.Equal(400, numbers.Length);
            Assert.Equal(numbers.Order(), numbers);
        }
    }

    [Fact]
    public async Task Relay_BrokerAway_TheAgeOfTheOldestGoesOnGrowing()
    {
        await EnqueueAsync([Message("{}")]);
        _sender.Fault = _ => "away";
        for (var i = 0; i < 12; i++)
        {
            await Relay().RelayAsync(default);
            _time.Advance(TimeSpan.FromMinutes(5));
        }

        Assert.InRange((await Relay().StateAsync(default)).OldestAge, TimeSpan.FromMinutes(60), TimeSpan.MaxValue);
        _sender.Fault = _ => null;
        await Relay().RelayAsync(default);
        Assert.Contains(_sender.Sent, sent => sent.Queue == _queue);
    }

    [Fact]
    public async Task Relay_TransportThatKeepsMessages_GetsThemAheadWithTheirTime()
    {
        var sender = new OrderedSender(_sender) { Ahead = TimeSpan.FromMinutes(5) };
        await EnqueueAsync([Message("{}", TimeSpan.FromMinutes(4)), Message("{}", TimeSpan.FromMinutes(6))]);
        await Relay(sender).RelayAsync(default);

        var sent = Assert.Single(_sender.Sent, sent => sent.Queue == _queue);
        Assert.Equal(_time.GetUtcNow().AddMinutes(4), sent.Message.NotBefore);
    }

    [Fact]
    public async Task Relay_TransportThatKeepsMessages_WaitsOutThePauseOfOneThatFailed()
    {
        var sender = new OrderedSender(_sender) { Ahead = TimeSpan.FromMinutes(5) };
        await EnqueueAsync([Message("{}")]);
        _sender.Fault = _ => "away";
        await Relay(sender).RelayAsync(default);
        _sender.Fault = _ => null;
        await Relay(sender).RelayAsync(default);
        Assert.DoesNotContain(_sender.Sent, sent => sent.Queue == _queue);

        _time.Advance(OutboxRelay.PauseAfter(1));
        await Relay(sender).RelayAsync(default);
        Assert.Contains(_sender.Sent, sent => sent.Queue == _queue);
    }

    [Theory]
    [InlineData("ж", 20_000)]
    [InlineData("\U0001F4B6", 10_000)]
    [InlineData("<", 39_000)]
    [InlineData("\\\"", 19_000)]
    [InlineData("x", 45_000)]
    public async Task Enqueue_BodyOfAnyScript_FitsIntoAStorageQueue(string letter, int times)
    {
        var text = string.Concat(Enumerable.Repeat(letter, times));
        await EnqueueAsync([Message($$"""{"n":1,"text":"{{text}}"}""")]);
        await Relay().RelayAsync(default);

        var sent = Assert.Single(_sender.Sent, sent => sent.Queue == _queue).Message;
        Assert.True(Convert.ToBase64String(sent.ToUtf8().Span).Length <= 64 * 1024, "a storage queue would refuse it for ever");
        var handler = new Handler(_queue);
        await Consumer(handler).ConsumeAsync(_queue, sent.ToUtf8(), default);
        Assert.Equal(text.Replace("\\\"", "\"", StringComparison.Ordinal), handler.Text);
    }

    [Fact]
    public async Task Purge_LargeBodyThatIsStillToCome_IsKept()
    {
        var large = $$"""{"n":1,"text":"{{new string('x', 60_000)}}"}""";
        await EnqueueAsync([Message(large, TimeSpan.FromDays(40)), Message(large)]);
        await Relay().RelayAsync(default);
        Assert.True(_sender.Sent.TryDequeue(out var dead));
        await Letters().KeepAsync(_queue, dead.Message.ToUtf8(), "failed", default);
        _time.Advance(TimeSpan.FromDays(39));
        await new MessagingPurge(database.App, _time).RunAsync(default);
        _time.Advance(TimeSpan.FromDays(1));
        await Relay().RelayAsync(default);
        await new MessagingPurge(database.App, _time).RunAsync(default);

        var handler = new Handler(_queue);
        Assert.True(_sender.Sent.TryDequeue(out var delayed));
        await Consumer(handler).ConsumeAsync(_queue, delayed.Message.ToUtf8(), default);
        // The one that an operator may still replay.
        await Consumer(handler).ConsumeAsync(_queue, dead.Message.ToUtf8(), default);
        Assert.Equal(2, handler.Handled.Count);
    }

    [Fact]
    public async Task Discard_DeadLetter_IsNeitherListedNorReplayedButDiesAgainIfItComesAgain()
    {
        await Letters().KeepAsync(_queue, Raw(1), "failed", default);
        var letter = Assert.Single(await Letters().ListAsync(_queue, null, 10, default));
        Assert.True(await Letters().DiscardAsync(letter.Id, Actor.Platform("ada"), default));

        Assert.False(await Letters().DiscardAsync(letter.Id, Actor.Platform("ada"), default));
        Assert.False(await Letters().ReplayAsync(letter.Id, Actor.Platform("ada"), default));
        Assert.Empty(await Letters().ListAsync(_queue, null, 10, default));
        await Letters().KeepAsync(_queue, Encoding.UTF8.GetBytes(letter.Raw), "failed", default);
        Assert.Single(await Letters().ListAsync(_queue, null, 10, default));
    }

    private OutboxMessage Message(string body, TimeSpan delay = default) => OutboxMessage.New(_queue, "effect", body, _time.GetUtcNow(), delay);

    private ReadOnlyMemory<byte> Raw(int number, string? orderKey = null) => new MessageEnvelope(
        Guid.CreateVersion7(_time.GetUtcNow()), "effect", 1, System.Text.Json.JsonElement.Parse($$"""{"n":{{number}}}"""), orderKey, null, _time.GetUtcNow()).ToUtf8();

    private DeadLetters Letters() => new(database.App, new OutboxSignal(), _time, NullLogger<DeadLetters>.Instance);

    private OutboxRelay Relay(IMessageSender? sender = null) => new(database.App, sender ?? _sender, _time, NullLogger<OutboxRelay>.Instance);

    private MessageConsumer Consumer(IMessageHandler handler) => new(
        new MessageDispatcher(database.App, [handler], Letters(), _time, NullLogger<MessageDispatcher>.Instance), _sender, Letters(), _time, NullLogger<MessageConsumer>.Instance);

    private async Task EnqueueAsync(IReadOnlyList<OutboxMessage> messages)
    {
        await using var connection = await database.App.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await Outbox.EnqueueAsync(connection, transaction, messages, default);
        await transaction.CommitAsync();
    }

    private sealed class OrderedSender(MemorySender inner) : IMessageSender
    {
        public TimeSpan Ahead { get; init; }

        public Task<IReadOnlyList<string?>> SendAsync(string queue, IReadOnlyList<MessageEnvelope> messages, CancellationToken ct)
        {
            var errors = new string?[messages.Count];
            for (var i = 0; i < messages.Count; i++)
            {
                if (inner.Fault(messages[i]) is { } error)
                {
                    Array.Fill(errors, error, i, messages.Count - i);
                    break;
                }

                inner.Sent.Enqueue((queue, messages[i]));
            }

            return Task.FromResult<IReadOnlyList<string?>>(errors);
        }
    }

    private sealed class Handler(string queue) : IMessageHandler
    {
        private int _running;
        private int _most;

        public ConcurrentBag<int> Handled { get; } = [];

        public Func<Message, bool> Fails { get; init; } = _ => false;

        public TimeSpan Takes { get; init; }

        public int MostAtOnce => _most;

        public string? Text { get; private set; }

        public string Queue => queue;

        public string Type => "effect";

        public short Version => 1;

        public int Concurrency { get; init; } = 16;

        public async Task HandleAsync(Message message, CancellationToken ct)
        {
            var running = Interlocked.Increment(ref _running);
            for (var most = _most; running > most; most = _most)
                Interlocked.CompareExchange(ref _most, running, most);
            if (Takes > TimeSpan.Zero)
                await Task.Delay(Takes, ct);
            Interlocked.Decrement(ref _running);
            if (Fails(message))
                throw new InvalidOperationException("boom");
            Text = message.Body.TryGetProperty("text", out var text) ? text.GetString() : null;
            Handled.Add(message.Body.GetProperty("n").GetInt32());
        }
    }
}
