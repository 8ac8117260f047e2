using System.Collections.Concurrent;
using Azure.Messaging.ServiceBus;

namespace Payments.Local.ServiceBus.Tests;

public sealed class DurabilityTests : IDisposable
{
    private const string Queue = "payments";
    private static readonly EntityFile Entities = new()
    {
        Queues = new Dictionary<string, QueueOptions> { [Queue] = new() { DuplicateWindow = TimeSpan.FromHours(1), MaxDeliveryCount = 1_000 } },
    };

    private readonly string _file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
    private readonly ManualTime _time = new();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public async Task Restart_WithDataFile_LosesNothing()
    {
        long deferred;
        await using (var bus = Start())
        await using (var client = new ServiceBusClient(bus.ConnectionString))
        {
            await using var sender = client.CreateSender(Queue);
            await using var receiver = client.CreateReceiver(Queue);
            foreach (var body in new[] { "done", "dead", "deferred", "locked", "ready" })
                await sender.SendMessageAsync(new ServiceBusMessage(body) { MessageId = body });
            await sender.ScheduleMessageAsync(new ServiceBusMessage("scheduled") { MessageId = "scheduled" }, _time.GetUtcNow().AddDays(1));
            await receiver.CompleteMessageAsync(await receiver.ReceiveMessageAsync());
            await receiver.DeadLetterMessageAsync(await receiver.ReceiveMessageAsync(), "Poison");
            var later = await receiver.ReceiveMessageAsync();
            deferred = later.SequenceNumber;
            await receiver.DeferMessageAsync(later);
            Assert.Equal("locked", (await receiver.ReceiveMessageAsync()).Body.ToString());
        }

        await using var again = Start();
        await using var second = new ServiceBusClient(again.ConnectionString);
        await using var receiverAgain = second.CreateReceiver(Queue);
        await using var senderAgain = second.CreateSender(Queue);
        await using var dead = second.CreateReceiver(Queue, new ServiceBusReceiverOptions { SubQueue = SubQueue.DeadLetter });

        var counts = again.Counts(Queue);
        Assert.Equal((2, 0, 1, 1), (counts.Ready, counts.Locked, counts.Deferred, counts.Scheduled));
        Assert.Equal("locked", (await receiverAgain.ReceiveMessageAsync()).Body.ToString());
        Assert.Equal("ready", (await receiverAgain.ReceiveMessageAsync()).Body.ToString());
        Assert.Equal("deferred", (await receiverAgain.ReceiveDeferredMessageAsync(deferred)).Body.ToString());
        Assert.Equal("Poison", (await dead.ReceiveMessageAsync()).DeadLetterReason);
        await senderAgain.SendMessageAsync(new ServiceBusMessage("done") { MessageId = "done" });
        Assert.Equal(1, again.Counts(Queue).Duplicates);
    }

    [Fact]
    public async Task Restart_TornLastFrame_KeepsEverythingBefore()
    {
        await using (var bus = Start())
        await using (var client = new ServiceBusClient(bus.ConnectionString))
        {
            await using var sender = client.CreateSender(Queue);
            await sender.SendMessageAsync(new ServiceBusMessage("kept"));
            await sender.SendMessageAsync(new ServiceBusMessage("torn"));
        }
        await using (var file = new FileStream(_file, FileMode.Open))
            file.SetLength(file.Length - 1);

        await using var again = Start();

        Assert.Equal(1, again.Counts(Queue).Ready);
    }

    [Fact]
    public async Task Restart_WhileAProcessorWorks_EveryMessageIsHandled()
    {
        const int Count = 500;
        var bus = Start();
        await using var client = new ServiceBusClient(bus.ConnectionString, new ServiceBusClientOptions
        {
            // An answer that is lost with its connection is waited for no longer than that.
            RetryOptions = new ServiceBusRetryOptions
            {
                MaxRetries = 20,
                TryTimeout = TimeSpan.FromSeconds(5),
                Delay = TimeSpan.FromMilliseconds(50),
                Mode = ServiceBusRetryMode.Fixed,
            },
        });
        await using (var sender = client.CreateSender(Queue))
            await sender.SendMessagesAsync(Enumerable.Range(0, Count).Select(i => new ServiceBusMessage($"{i}") { MessageId = $"{i}" }));
        var handled = new ConcurrentDictionary<string, bool>();
        var halfway = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var processor = client.CreateProcessor(Queue, new ServiceBusProcessorOptions { MaxConcurrentCalls = 4 });
        processor.ProcessMessageAsync += args =>
        {
            handled[args.Message.MessageId] = true;
            if (handled.Count == Count / 2)
                halfway.TrySetResult();
            return Task.CompletedTask;
        };
        processor.ProcessErrorAsync += _ => Task.CompletedTask;
        await processor.StartProcessingAsync();
        await halfway.Task.WaitAsync(TimeSpan.FromSeconds(30));

        await bus.DisposeAsync();
        await using var again = Start(bus.Port);

        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (again.Counts(Queue).Total > 0)
        {
            // A message on its way when a connection ended stays locked until its time is over.
            await Task.Delay(50, deadline.Token);
            _time.Advance(TimeSpan.FromSeconds(1));
        }
        // The client drains its links when it closes, so it must go before the double does.
        await processor.CloseAsync();
        await client.DisposeAsync();
        Assert.Equal(Count, handled.Count);
    }

    private ServiceBusDouble Start(int port = 0) =>
        ServiceBusDouble.Start(new ServiceBusDoubleOptions { Port = port, DataFile = _file, Time = _time, Entities = Entities });
}
