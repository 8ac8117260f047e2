using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Payments.Domain.Audit;
using Payments.Domain.Messaging;

namespace Payments.Postgres.Tests.Messaging;

public sealed class OutboxTests : IClassFixture<TestDatabase>, IAsyncLifetime
{
    private readonly TestDatabase _database;
    private readonly TestTime _time = new(new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
    private readonly MemorySender _sender = new();
    private readonly OutboxRelay _relay;

    public OutboxTests(TestDatabase database)
    {
        _database = database;
        _relay = new OutboxRelay(database.App, _sender, _time, NullLogger<OutboxRelay>.Instance);
    }

    public async ValueTask InitializeAsync() => await ExecuteAsync("DELETE FROM payments.outbox; DELETE FROM payments.inbox; DELETE FROM payments.dead_letters; DELETE FROM payments.message_bodies");

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task Relay_CommittedMessages_AreSentOnceAndLeaveTheTable()
    {
        var messages = Enumerable.Range(0, 600).Select(i => Message($$"""{"n":{{i}}}""")).ToArray();
        await EnqueueAsync(messages);

        Assert.Equal(600, await _relay.RelayAsync(default));
        Assert.Equal(messages.Select(m => m.Id).Order(), _sender.Sent.Select(s => s.Message.Id).Order());
        Assert.Equal(0, await CountAsync());
        Assert.Equal(0, await _relay.RelayAsync(default));
    }

    [Fact]
    public async Task Relay_MessageNotDueYet_IsSentWhenItIs()
    {
        await EnqueueAsync(Message("{}", TimeSpan.FromDays(30)));

        Assert.Equal(0, await _relay.RelayAsync(default));
        Assert.Equal(_time.GetUtcNow().AddDays(30), await _relay.NextDueAsync(default));
        _time.Advance(TimeSpan.FromDays(30));
        Assert.Equal(1, await _relay.RelayAsync(default));
    }

    [Fact]
    public async Task Relay_BrokerRefusesOne_KeepsItForLaterAndSendsTheOthers()
    {
        var refused = Message("""{"n":1}""");
        await EnqueueAsync(Message("{}"), refused, Message("{}"));
        _sender.Fault = message => message.Id == refused.Id ? "The queue is full." : null;

        Assert.Equal(2, await _relay.RelayAsync(default));
        Assert.Equal(0, await _relay.RelayAsync(default));
        _sender.Fault = _ => null;
        _time.Advance(OutboxRelay.PauseAfter(1));
        Assert.Equal(1, await _relay.RelayAsync(default));
        Assert.Equal(0, await CountAsync());
    }

    [Fact]
    public async Task Relay_CrashBetweenSendingAndMarking_SendsAgainUnderTheSameIdAndTheInboxKnowsIt()
    {
        var message = Message("{}");
        await EnqueueAsync(message);
        _sender.AfterSend = () => throw new InvalidOperationException("crash");
        await Assert.ThrowsAsync<InvalidOperationException>(() => _relay.RelayAsync(default));
        _sender.AfterSend = () => { };
        await _relay.RelayAsync(default);

        Assert.Equal([message.Id, message.Id], _sender.Sent.Select(s => s.Message.Id));
        Assert.True(await HandledFirstAsync(message.Id));
        Assert.False(await HandledFirstAsync(message.Id));
    }

    [Fact]
    public async Task Relay_SeveralRelaysAtOnce_SendEachMessageOnce()
    {
        await EnqueueAsync([.. Enumerable.Range(0, 2000).Select(_ => Message("{}"))]);

        var sent = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Task.Run(() => _relay.RelayAsync(default))));
        await _relay.RelayAsync(default);

        Assert.Equal(2000, _sender.Sent.Select(s => s.Message.Id).Distinct().Count());
        Assert.Equal(2000, _sender.Sent.Count);
        Assert.True(sent.Sum() <= 2000);
    }

    [Fact]
    public async Task Dispatch_BodyTooLargeForAQueue_ReachesTheHandlerWhole()
    {
        var handler = new RecordingHandler();
        var large = $$"""{"text": "{{new string('x', 100_000)}}"}""";
        await EnqueueAsync(Message(large));
        await _relay.RelayAsync(default);

        Assert.True(_sender.Sent.TryPeek(out var sent));
        Assert.True(sent.Message.ToUtf8().Length < 1000);
        await Dispatcher(handler).DispatchAsync(QueueNames.PayoutSubmissions, sent.Message.ToUtf8(), default);
        Assert.Equal(100_000, handler.Handled.Single().Body.GetProperty("text").GetString()!.Length);
    }

    [Fact]
    public async Task Dispatch_NewerVersionThanTheCode_IsPutBackUntilSomeCodeReadsIt()
    {
        var old = new RecordingHandler();
        var message = Message("""{"n":7}""") with { Version = 2 };
        await EnqueueAsync(message);
        await _relay.RelayAsync(default);
        await Dispatcher(old).DispatchAsync(QueueNames.PayoutSubmissions, _sender.Sent.Last().Message.ToUtf8(), default);

        Assert.Empty(old.Handled);
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(1, await _relay.RelayAsync(default));
        var again = _sender.Sent.Last().Message;
        Assert.NotEqual(message.Id.ToString("N"), again.TransportId);
        var upgraded = new RecordingHandler(version: 2);
        await Dispatcher(upgraded).DispatchAsync(QueueNames.PayoutSubmissions, again.ToUtf8(), default);
        Assert.Equal(message.Id, upgraded.Handled.Single().Id);
    }

    [Theory]
    [InlineData("not a message")]
    [InlineData("{}")]
    [InlineData("\0\u0001")]
    public async Task Dispatch_NoMessageOfOurs_IsKeptWithTheReason(string text)
    {
        await Dispatcher(new RecordingHandler()).DispatchAsync(QueueNames.PayoutSubmissions, System.Text.Encoding.UTF8.GetBytes(text), default);

        var letter = Assert.Single(await Letters().ListAsync(QueueNames.PayoutSubmissions, null, 10, default));
        Assert.Equal("It is no message of this application.", letter.Reason);
        Assert.False(await Letters().ReplayAsync(letter.Id, Actor.Platform("ada"), default));
    }

    [Fact]
    public async Task Replay_DeadLetter_ComesBackOnceUnderItsId()
    {
        var message = Message("""{"n":1}""");
        await EnqueueAsync(message);
        await _relay.RelayAsync(default);
        var raw = _sender.Sent.Last().Message.ToUtf8();
        await Letters().KeepAsync(QueueNames.PayoutSubmissions, raw, "handler failed 5 times", default);
        await Letters().KeepAsync(QueueNames.PayoutSubmissions, raw, "handler failed 5 times", default);

        var letter = Assert.Single(await Letters().ListAsync(null, null, 10, default));
        Assert.True(await Letters().ReplayAsync(letter.Id, Actor.Platform("ada"), default));
        Assert.False(await Letters().ReplayAsync(letter.Id, Actor.Platform("ada"), default));
        Assert.Equal(1, await _relay.RelayAsync(default));
        Assert.Equal(message.Id, _sender.Sent.Last().Message.Id);
        Assert.Empty(await Letters().ListAsync(null, null, 10, default));
    }

    [Fact]
    public async Task Inbox_TwoConsumersAtOnce_OneHandles()
    {
        var id = Guid.CreateVersion7(_time.GetUtcNow());
        var first = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => HandledFirstAsync(id))));
        Assert.Single(first, handled => handled);
    }

    [Fact]
    public async Task Purge_OldRows_GoAndYoungStay()
    {
        await HandledFirstAsync(Guid.CreateVersion7(_time.GetUtcNow()));
        _time.Advance(TimeSpan.FromDays(31));
        await HandledFirstAsync(Guid.CreateVersion7(_time.GetUtcNow()));

        Assert.Equal(1, await new MessagingPurge(_database.App, _time).RunAsync(default));
        Assert.Equal(0, await new MessagingPurge(_database.App, _time).RunAsync(default));
    }

    private OutboxMessage Message(string body, TimeSpan delay = default) =>
        OutboxMessage.New(QueueNames.PayoutSubmissions, "test", body, _time.GetUtcNow(), delay);

    private DeadLetters Letters() => new(_database.App, new OutboxSignal(), _time, NullLogger<DeadLetters>.Instance);

    private MessageDispatcher Dispatcher(IMessageHandler handler) =>
        new(_database.App, [handler], Letters(), _time, NullLogger<MessageDispatcher>.Instance);

    private async Task<bool> HandledFirstAsync(Guid id)
    {
        await using var connection = await _database.App.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var first = await Inbox.TryRecordAsync(connection, transaction, "test", id, _time.GetUtcNow());
        await transaction.CommitAsync();
        return first;
    }

    private async Task EnqueueAsync(params OutboxMessage[] messages)
    {
        await using var connection = await _database.App.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await Outbox.EnqueueAsync(connection, transaction, messages, default);
        await transaction.CommitAsync();
    }

    private async Task<long> CountAsync()
    {
        await using var connection = await _database.App.OpenConnectionAsync();
        return await connection.ExecuteScalarAsync<long>("SELECT count(*) FROM payments.outbox");
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var connection = await _database.App.OpenConnectionAsync();
        await connection.ExecuteAsync(sql);
    }

    private sealed class RecordingHandler(short version = 1) : IMessageHandler
    {
        public List<Message> Handled { get; } = [];

        public string Queue => QueueNames.PayoutSubmissions;

        public string Type => "test";

        public short Version => version;

        public Task HandleAsync(Message message, CancellationToken ct)
        {
            Handled.Add(message);
            return Task.CompletedTask;
        }
    }
}
