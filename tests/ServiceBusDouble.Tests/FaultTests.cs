using System.Collections.Concurrent;
using System.Globalization;
using Azure.Messaging.ServiceBus;

namespace Payments.Local.ServiceBus.Tests;

public sealed class FaultTests : BusTest
{
    [Theory]
    [InlineData(false, 2)]
    [InlineData(true, 1)]
    public async Task LoseAcknowledgement_OfASend_StoresItAgainUnlessDuplicatesAreDetected(bool detects, int stored)
    {
        Bus.AddQueue(Queue, new QueueOptions { DuplicateWindow = detects ? TimeSpan.FromMinutes(10) : null });
        Bus.Faults.Arm(Queue, BusOperation.Send, Fault.LoseAcknowledgement);

        await SendAsync(new ServiceBusMessage("once") { MessageId = "once" });

        Assert.Equal((stored, 1L), (Bus.Counts(Queue).Ready, Bus.Faults.Injected));
    }

    [Fact]
    public async Task DropConnection_BeforeASend_StoresItOnce()
    {
        Bus.AddQueue(Queue);
        Bus.Faults.Arm(Queue, BusOperation.Send, Fault.DropConnection, times: 2);

        await SendAsync(new ServiceBusMessage("x"));

        Assert.Equal((1, 2L), (Bus.Counts(Queue).Total, Bus.Faults.Injected));
    }

    [Fact]
    public async Task Reject_Send_FailsAndStoresNothing()
    {
        Bus.AddQueue(Queue);
        Bus.Faults.Arm(Queue, BusOperation.Send, Fault.Reject("amqp:resource-limit-exceeded", "full"));

        Assert.Equal(ServiceBusFailureReason.QuotaExceeded, await FailureOfAsync(() => SendAsync(new ServiceBusMessage("x"))));

        Assert.Equal(0, Bus.Counts(Queue).Total);
    }

    [Fact]
    public async Task Throttle_Send_IsServiceBusy()
    {
        Bus.AddQueue(Queue);
        Bus.Faults.Arm(Queue, BusOperation.Send, Fault.Throttle);
        await using var impatient = Connect(Bus, retries: 0);
        await using var sender = impatient.CreateSender(Queue);

        Assert.Equal(ServiceBusFailureReason.ServiceBusy, await FailureOfAsync(() => sender.SendMessageAsync(new ServiceBusMessage("x"))));

        Assert.Equal(0, Bus.Counts(Queue).Total);
    }

    [Theory]
    [InlineData(BusOperation.Send)]
    [InlineData(BusOperation.Settle)]
    public async Task Delay_Operation_HappensWhenTheClockReachesIt(BusOperation operation)
    {
        Bus.AddQueue(Queue);
        Bus.Faults.Arm(Queue, operation, Fault.DelayBy(TimeSpan.FromSeconds(5)));
        await using var receiver = Client.CreateReceiver(Queue);
        var work = Task.Run(async () =>
        {
            await SendAsync(new ServiceBusMessage("x"));
            await receiver.CompleteMessageAsync(await ReceiveAsync(receiver));
        });
        await UntilAsync(() => Bus.Faults.Injected == 1);
        Assert.Equal(operation == BusOperation.Send ? 0 : 1, Bus.Counts(Queue).Total);

        while (!work.IsCompleted)
        {
            Time.Advance(TimeSpan.FromSeconds(5));
            await Task.WhenAny(work, Task.Delay(20));
        }

        await work;
        Assert.Equal((0, 1L), (Bus.Counts(Queue).Total, Bus.Counts(Queue).Completed));
    }

    [Fact]
    public async Task LoseAcknowledgement_OfACompletion_StillCompletes()
    {
        Bus.AddQueue(Queue);
        await SendAsync(new ServiceBusMessage("x"));
        await using var receiver = Client.CreateReceiver(Queue);
        var message = await ReceiveAsync(receiver);
        Bus.Faults.Arm(Queue, BusOperation.Settle, Fault.LoseAcknowledgement);

        // The client cannot know, and its next try finds no lock.
        await Record.ExceptionAsync(() => receiver.CompleteMessageAsync(message));

        Assert.Equal((0, 1L), (Bus.Counts(Queue).Total, Bus.Counts(Queue).Completed));
    }

    [Fact]
    public async Task DropConnections_OpenLinks_Recover()
    {
        Bus.AddQueue(Queue);
        await using var receiver = Client.CreateReceiver(Queue);
        await using var sender = Client.CreateSender(Queue);
        await sender.SendMessageAsync(new ServiceBusMessage("x"));
        await receiver.CompleteMessageAsync(await ReceiveAsync(receiver));

        Bus.DropConnections();
        await sender.SendMessageAsync(new ServiceBusMessage("y"));
        await receiver.CompleteMessageAsync(await ReceiveAsync(receiver));

        Assert.Equal((0, 2L), (Bus.Counts(Queue).Total, Bus.Counts(Queue).Completed));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(20260101)]
    public async Task Processor_3000MessagesUnderRandomFaults_LosesNone(int seed)
    {
        const int Count = 3_000;
        // Locks must expire by themselves here, so this double runs on the real clock.
        await using var bus = ServiceBusDouble.Start();
        bus.AddQueue(Queue, new QueueOptions
        {
            LockDuration = TimeSpan.FromSeconds(2),
            MaxDeliveryCount = 10_000,
            DuplicateWindow = TimeSpan.FromMinutes(10),
        });
        await using var client = Connect(bus, retries: 30);
        var random = new SeededFaults(seed);
        bus.Faults.Inject = random.Next;
        var handled = new ConcurrentDictionary<int, int>();
        await using var processor = client.CreateProcessor(Queue, new ServiceBusProcessorOptions
        {
            MaxConcurrentCalls = 24,
            PrefetchCount = 50,
            AutoCompleteMessages = false,
        });
        processor.ProcessMessageAsync += async args =>
        {
            handled.AddOrUpdate(int.Parse(args.Message.Body.ToString(), CultureInfo.InvariantCulture), 1, (_, times) => times + 1);
            if (random.Abandons())
                await args.AbandonMessageAsync(args.Message);
            else
                await args.CompleteMessageAsync(args.Message);
        };
        processor.ProcessErrorAsync += _ => Task.CompletedTask;
        await processor.StartProcessingAsync();

        await using var sender = client.CreateSender(Queue);
        foreach (var chunk in Enumerable.Range(0, Count).Chunk(30))
            await sender.SendMessagesAsync(chunk.Select(i => new ServiceBusMessage($"{i}") { MessageId = $"{i}" }));
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (bus.Counts(Queue).Total > 0)
            await Task.Delay(50, deadline.Token);
        bus.Faults.Inject = null;
        await processor.StopProcessingAsync();

        var counts = bus.Counts(Queue);
        Assert.Equal(Enumerable.Range(0, Count), handled.Keys.Order());
        Assert.Equal((Count, Count), (counts.Stored, counts.Completed));
        Assert.Equal(0, bus.Counts(DeadLetters).Total);
        Assert.True(bus.Faults.Injected > 10, $"only {bus.Faults.Injected} faults happened");
    }

    private sealed class SeededFaults(int seed)
    {
        private readonly Random _random = new(seed);
        private readonly Lock _gate = new();

        public bool Abandons()
        {
            lock (_gate)
                return _random.Next(10) == 0;
        }

        public Fault Next(string entity, BusOperation operation)
        {
            lock (_gate)
            {
                return (operation, _random.Next(1_000)) switch
                {
                    (BusOperation.Send, < 50) => Fault.LoseAcknowledgement,
                    (BusOperation.Send, < 100) => Fault.DropConnection,
                    (BusOperation.Settle, < 2) => Fault.LoseAcknowledgement,
                    (BusOperation.Settle, < 4) => Fault.DropConnection,
                    (_, > 990) => Fault.DelayBy(TimeSpan.FromMilliseconds(5)),
                    _ => Fault.None,
                };
            }
        }
    }
}
