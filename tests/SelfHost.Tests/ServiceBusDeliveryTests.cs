using System.Collections.Concurrent;
using Azure.Messaging.ServiceBus;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Payments.Domain.Messaging;
using Payments.Functions.Queues;

namespace Payments.SelfHost.Tests;

/// <summary>How the app settles what Service Bus delivers to it: one bad message is its own matter.</summary>
public sealed class ServiceBusDeliveryTests : IAsyncDisposable
{
    private const string Queue = "queue";

    // Nothing here asks a database; whatever did would fail.
    private readonly NpgsqlDataSource _nowhere = NpgsqlDataSource.Create("Host=127.0.0.1;Port=1;Username=nobody;Timeout=1");
    private readonly Handler _handler = new();
    private readonly Sender _sender = new();
    private readonly Actions _actions = new();

    public ValueTask DisposeAsync() => _nowhere.DisposeAsync();

    [Fact]
    public async Task Batch_AllHandled_LeavesSettlingToTheHost()
    {
        await HandleAsync(Enumerable.Range(0, 50).Select(n => Message(n)));

        Assert.Equal(50, _handler.Handled.Count);
        Assert.Empty(_actions.Completed);
        Assert.Empty(_actions.Abandoned);
    }

    [Fact]
    public async Task Batch_OneFails_AllAreCompletedItIsSentForLaterAndTheFunctionFails()
    {
        _handler.Fails = 7;
        await Assert.ThrowsAsync<MessageNotHandledException>(() => HandleAsync(Enumerable.Range(0, 20).Select(n => Message(n))));

        Assert.Equal(20, _actions.Completed.Count);
        Assert.Empty(_actions.Abandoned);
        Assert.Equal([7], _sender.Sent);
    }

    [Fact]
    public async Task Batch_OneFailsAndCannotBePutOff_ItAloneIsAbandoned()
    {
        _handler.Fails = 7;
        _sender.Away = true;
        await Assert.ThrowsAsync<MessageNotHandledException>(() => HandleAsync(Enumerable.Range(0, 20).Select(n => Message(n))));

        Assert.Equal(["7"], _actions.Abandoned);
        Assert.Equal(19, _actions.Completed.Count);
    }

    [Fact]
    public async Task Batch_MessagesThatCameBefore_GoAloneAndAreSettledBeforeTheNext()
    {
        var settledBefore = new List<int>();
        _handler.OnHandle = _ => settledBefore.Add(_actions.Completed.Count);
        await HandleAsync([Message(100), .. Enumerable.Range(0, 20).Select(n => Message(n, deliveries: 2))]);

        Assert.Equal(1, _handler.MostAtOnce);
        Assert.Equal(Enumerable.Range(0, 21), settledBefore);
        Assert.Equal(21, _actions.Completed.Count);
    }

    [Fact]
    public async Task Batch_ThatTakesLong_KeepsItsLocks()
    {
        _handler.Takes = TimeSpan.FromSeconds(2.5);
        await HandleAsync([Message(1, lockedFor: TimeSpan.FromSeconds(2)), Message(2, lockedFor: TimeSpan.FromSeconds(2))]);

        Assert.True(_actions.Renewed.Distinct().Count() == 2, "a lock was not renewed in time");
    }

    private Task HandleAsync(IEnumerable<ServiceBusReceivedMessage> messages)
    {
        var letters = new DeadLetters(_nowhere, new OutboxSignal(), TimeProvider.System, NullLogger<DeadLetters>.Instance);
        var dispatcher = new MessageDispatcher(_nowhere, [_handler], letters, TimeProvider.System, NullLogger<MessageDispatcher>.Instance);
        var consumer = new MessageConsumer(dispatcher, _sender, letters, TimeProvider.System, NullLogger<MessageConsumer>.Instance);
        return ServiceBusDelivery.HandleAsync(consumer, Queue, [.. messages], _actions, default);
    }

    private static ServiceBusReceivedMessage Message(int number, int deliveries = 1, TimeSpan? lockedFor = null)
    {
        var now = TimeProvider.System.GetUtcNow();
        var body = $$"""{"id":"{{Guid.CreateVersion7(now)}}","type":"effect","version":1,"body":{"n":{{number}}},"created_at":"{{now:O}}"}""";
        return ServiceBusModelFactory.ServiceBusReceivedMessage(
            body: BinaryData.FromString(body), messageId: $"{number}", deliveryCount: deliveries, lockedUntil: now + (lockedFor ?? TimeSpan.FromMinutes(1)));
    }

    private sealed class Actions : ServiceBusMessageActions
    {
        public ConcurrentQueue<string> Completed { get; } = new();

        public ConcurrentQueue<string> Abandoned { get; } = new();

        public ConcurrentQueue<string> Renewed { get; } = new();

        public override Task CompleteMessageAsync(ServiceBusReceivedMessage message, CancellationToken cancellationToken = default) => Note(Completed, message);

        public override Task AbandonMessageAsync(
            ServiceBusReceivedMessage message, IDictionary<string, object>? propertiesToModify = default, CancellationToken cancellationToken = default) => Note(Abandoned, message);

        public override Task RenewMessageLockAsync(ServiceBusReceivedMessage message, CancellationToken cancellationToken = default) => Note(Renewed, message);

        private static Task Note(ConcurrentQueue<string> notes, ServiceBusReceivedMessage message)
        {
            notes.Enqueue(message.MessageId);
            return Task.CompletedTask;
        }
    }

    private sealed class Sender : IMessageSender
    {
        public bool Away { get; set; }

        public ConcurrentQueue<int> Sent { get; } = new();

        public Task<IReadOnlyList<string?>> SendAsync(string queue, IReadOnlyList<MessageEnvelope> messages, CancellationToken ct)
        {
            if (Away)
                return Task.FromResult<IReadOnlyList<string?>>([.. messages.Select(_ => "away")]);
            foreach (var message in messages)
                Sent.Enqueue(message.Body!.Value.GetProperty("n").GetInt32());
            return Task.FromResult<IReadOnlyList<string?>>(new string?[messages.Count]);
        }
    }

    private sealed class Handler : IMessageHandler
    {
        private int _running;
        private int _most;

        public ConcurrentBag<int> Handled { get; } = [];

        public int Fails { get; set; } = -1;

        public TimeSpan Takes { get; set; }

        public Action<int> OnHandle { get; set; } = _ => { };

        public int MostAtOnce => _most;

        public string Queue => ServiceBusDeliveryTests.Queue;

        public string Type => "effect";

        public short Version => 1;

        public async Task HandleAsync(Message message, CancellationToken ct)
        {
            _most = Math.Max(_most, Interlocked.Increment(ref _running));
            try
            {
                var number = message.Body.GetProperty("n").GetInt32();
                await Task.Delay(Takes, ct);
                OnHandle(number);
                if (number == Fails)
                    throw new InvalidOperationException("boom");
                Handled.Add(number);
            }
            finally
            {
                Interlocked.Decrement(ref _running);
            }
        }
    }
}
