using System.Collections.Concurrent;
using Azure.Messaging.ServiceBus;

namespace Payments.Local.ServiceBus.Tests;

public sealed class ReceivingTests : BusTest
{
    [Fact]
    public async Task Complete_ReceivedMessage_RemovesItWithAllItsParts()
    {
        Bus.AddQueue(Queue);
        await SendAsync(new ServiceBusMessage("hello")
        {
            MessageId = "m1",
            Subject = "subject",
            CorrelationId = "correlation",
            ContentType = "text/plain",
            ApplicationProperties = { ["number"] = 5, ["span"] = TimeSpan.FromSeconds(3) },
        });
        await using var receiver = Client.CreateReceiver(Queue);

        var message = await ReceiveAsync(receiver);

        Assert.Equal("hello", message.Body.ToString());
        Assert.Equal(("m1", "subject", "correlation", "text/plain"),
            (message.MessageId, message.Subject, message.CorrelationId, message.ContentType));
        Assert.Equal(5, message.ApplicationProperties["number"]);
        Assert.Equal(TimeSpan.FromSeconds(3), message.ApplicationProperties["span"]);
        Assert.Equal((1, 1L), (message.DeliveryCount, message.SequenceNumber));
        Assert.Equal(Time.GetUtcNow(), message.EnqueuedTime);
        Assert.Equal(Time.GetUtcNow() + TimeSpan.FromSeconds(30), message.LockedUntil);
        Assert.Equal(1, Bus.Counts(Queue).Locked);
        await receiver.CompleteMessageAsync(message);
        var counts = Bus.Counts(Queue);
        Assert.Equal((0, 1L, 1L, 1L), (counts.Total, counts.Stored, counts.Deliveries, counts.Completed));
    }

    [Fact]
    public async Task Send_Batches_KeepsOrderAndRefusesTheOversized()
    {
        Bus.AddQueue(Queue);
        await using var sender = Client.CreateSender(Queue);
        await using var receiver = Client.CreateReceiver(Queue, new ServiceBusReceiverOptions { PrefetchCount = 20 });
        await sender.SendMessagesAsync(Enumerable.Range(0, 50).Select(i => new ServiceBusMessage($"{i}")));
        using var batch = await sender.CreateMessageBatchAsync();
        for (var i = 50; i < 100; i++)
            Assert.True(batch.TryAddMessage(new ServiceBusMessage($"{i}")));
        await sender.SendMessagesAsync(batch);

        var bodies = new List<string>();
        while (bodies.Count < 100)
        {
            foreach (var message in await receiver.ReceiveMessagesAsync(100 - bodies.Count, Patience))
            {
                bodies.Add(message.Body.ToString());
                await receiver.CompleteMessageAsync(message);
            }
        }

        Assert.Equal(Enumerable.Range(0, 100).Select(i => $"{i}"), bodies);
        Assert.Equal(256 * 1024, batch.MaxSizeInBytes);
        Assert.Equal(ServiceBusFailureReason.MessageSizeExceeded,
            await FailureOfAsync(() => sender.SendMessageAsync(new ServiceBusMessage(new byte[300_000]))));
    }

    [Fact]
    public async Task Abandon_WithProperties_RedeliversWithThemAndANewLock()
    {
        Bus.AddQueue(Queue);
        await SendAsync(new ServiceBusMessage("x"));
        await using var receiver = Client.CreateReceiver(Queue);
        var first = await ReceiveAsync(receiver);

        await receiver.AbandonMessageAsync(first, new Dictionary<string, object> { ["why"] = "because" });

        var second = await ReceiveAsync(receiver);
        Assert.Equal((2, first.SequenceNumber), (second.DeliveryCount, second.SequenceNumber));
        Assert.Equal("because", second.ApplicationProperties["why"]);
        Assert.NotEqual(first.LockToken, second.LockToken);
    }

    [Fact]
    public async Task Defer_Message_IsReceivedOnlyByItsNumber()
    {
        Bus.AddQueue(Queue);
        await SendAsync(new ServiceBusMessage("later"));
        await using var receiver = Client.CreateReceiver(Queue);
        var message = await ReceiveAsync(receiver);

        await receiver.DeferMessageAsync(message);

        Assert.Null(await receiver.ReceiveMessageAsync(Empty));
        Assert.Equal(ServiceBusMessageState.Deferred, (await receiver.PeekMessageAsync()).State);
        var deferred = await receiver.ReceiveDeferredMessageAsync(message.SequenceNumber);
        Assert.Equal("later", deferred.Body.ToString());
        await receiver.CompleteMessageAsync(deferred);
        Assert.Equal(0, Bus.Counts(Queue).Total);
        Assert.Equal(ServiceBusFailureReason.MessageNotFound,
            await FailureOfAsync(() => receiver.ReceiveDeferredMessageAsync(message.SequenceNumber)));
    }

    [Fact]
    public async Task DeadLetter_DeferredMessage_KeepsReason()
    {
        Bus.AddQueue(Queue);
        await SendAsync(new ServiceBusMessage("x"));
        await using var receiver = Client.CreateReceiver(Queue);
        var message = await ReceiveAsync(receiver);
        await receiver.DeferMessageAsync(message);

        await receiver.DeadLetterMessageAsync(await receiver.ReceiveDeferredMessageAsync(message.SequenceNumber), "Late", "too late");

        await using var dead = Client.CreateReceiver(Queue, new ServiceBusReceiverOptions { SubQueue = SubQueue.DeadLetter });
        Assert.Equal("Late", (await ReceiveAsync(dead)).DeadLetterReason);
    }

    [Fact]
    public async Task DeadLetter_WithReasonAndProperties_IsInTheDeadLetterQueue()
    {
        Bus.AddQueue(Queue);
        await SendAsync(new ServiceBusMessage("bad") { MessageId = "bad1" });
        await using var receiver = Client.CreateReceiver(Queue);

        await receiver.DeadLetterMessageAsync(
            await ReceiveAsync(receiver), new Dictionary<string, object> { ["extra"] = 7 }, "Poison", "cannot parse");

        await using var dead = Client.CreateReceiver(Queue, new ServiceBusReceiverOptions { SubQueue = SubQueue.DeadLetter });
        var message = await ReceiveAsync(dead);
        Assert.Equal(("Poison", "cannot parse", Queue, "bad1"),
            (message.DeadLetterReason, message.DeadLetterErrorDescription, message.DeadLetterSource, message.MessageId));
        Assert.Equal(7, message.ApplicationProperties["extra"]);
        await dead.CompleteMessageAsync(message);
        Assert.Equal((0, 0), (Bus.Counts(Queue).Total, Bus.Counts(DeadLetters).Total));
    }

    [Fact]
    public async Task Abandon_AsOftenAsAllowed_DeadLetters()
    {
        Bus.AddQueue(Queue, new QueueOptions { MaxDeliveryCount = 3 });
        await SendAsync(new ServiceBusMessage("x"));
        await using var receiver = Client.CreateReceiver(Queue);

        for (var delivery = 1; delivery <= 3; delivery++)
        {
            var message = await ReceiveAsync(receiver);
            Assert.Equal(delivery, message.DeliveryCount);
            await receiver.AbandonMessageAsync(message);
        }

        await using var dead = Client.CreateReceiver(DeadLetters);
        Assert.Equal("MaxDeliveryCountExceeded", (await ReceiveAsync(dead)).DeadLetterReason);
        Assert.Equal(0, Bus.Counts(Queue).Total);
    }

    [Fact]
    public async Task Peek_Messages_ChangesNothing()
    {
        Bus.AddQueue(Queue);
        await using var receiver = Client.CreateReceiver(Queue);
        Assert.Null(await receiver.PeekMessageAsync());
        await SendAsync(Enumerable.Range(0, 5).Select(i => new ServiceBusMessage($"{i}")));

        var first = await receiver.PeekMessagesAsync(3);

        Assert.Equal(["0", "1", "2"], first.Select(message => message.Body.ToString()));
        Assert.Equal(2, (await receiver.PeekMessagesAsync(10)).Count);
        Assert.Equal(5, (await receiver.PeekMessagesAsync(10, 1)).Count);
        Assert.Equal((5, 0L), (Bus.Counts(Queue).Ready, Bus.Counts(Queue).Deliveries));
    }

    /// <summary>What arrives while nobody waits for it is given back unread by the client: thousands of times here, sometimes before the broker has done with sending it.</summary>
    [Fact]
    public async Task Receive_MessagesThatArriveWhileOthersAreHandled_AreAllReceived()
    {
        const int Messages = 1500;
        Bus.AddQueue(Queue);
        using var stop = new CancellationTokenSource();
        var received = new ConcurrentDictionary<long, bool>();
        var receiving = Enumerable.Range(0, 2).Select(_ => Task.Run(async () =>
        {
            await using var client = Connect(Bus);
            await using var receiver = client.CreateReceiver(Queue);
            while (!stop.IsCancellationRequested)
            {
                var messages = await receiver.ReceiveMessagesAsync(1000, Empty);
                foreach (var message in messages)
                    received[message.SequenceNumber] = true;
                await Task.Delay(TimeSpan.FromMilliseconds(20));
                await Task.WhenAll(messages.Select(message => receiver.CompleteMessageAsync(message)));
            }
        })).ToArray();
        await using var sender = Client.CreateSender(Queue);
        for (var i = 0; i < Messages; i++)
        {
            await sender.SendMessageAsync(new ServiceBusMessage("x"));
            await Task.Delay(TimeSpan.FromMilliseconds(2));
        }

        while (Bus.Counts(Queue).Total > 0)
            await Task.Delay(TimeSpan.FromMilliseconds(10));
        await stop.CancelAsync();
        await Task.WhenAll(receiving);
        Assert.Equal(Enumerable.Range(1, Messages).Select(number => (long)number), received.Keys.Order());
        Assert.True(Bus.Counts(Queue).Deliveries > Messages, "nothing was given back, so nothing was proved");
    }

    [Fact]
    public async Task ReceiveAndDelete_Message_IsGone()
    {
        Bus.AddQueue(Queue);
        await SendAsync(new ServiceBusMessage("x"));
        await using var receiver = Client.CreateReceiver(Queue, new ServiceBusReceiverOptions { ReceiveMode = ServiceBusReceiveMode.ReceiveAndDelete });

        Assert.Equal("x", (await ReceiveAsync(receiver)).Body.ToString());

        Assert.Equal(0, Bus.Counts(Queue).Total);
    }

    [Fact]
    public async Task Complete_OnAnotherReceiver_GoesThroughTheManagementNode()
    {
        Bus.AddQueue(Queue);
        await SendAsync(new ServiceBusMessage("x"));
        await using var first = Client.CreateReceiver(Queue);
        await using var second = Client.CreateReceiver(Queue);

        await second.CompleteMessageAsync(await ReceiveAsync(first));

        Assert.Equal(0, Bus.Counts(Queue).Total);
    }

    [Fact]
    public async Task Send_ToTopic_ReachesEverySubscription()
    {
        Bus.AddSubscription("events", "a");
        Bus.AddSubscription("events", "b");
        await using var sender = Client.CreateSender("events");

        await sender.SendMessageAsync(new ServiceBusMessage("x"));

        foreach (var subscription in new[] { "a", "b" })
        {
            await using var receiver = Client.CreateReceiver("events", subscription);
            await receiver.CompleteMessageAsync(await ReceiveAsync(receiver));
            Assert.Equal(0, Bus.Counts(ServiceBusDouble.SubscriptionOf("events", subscription)).Total);
        }
    }

    [Fact]
    public async Task AnyOperation_OnMissingEntity_IsNotFound()
    {
        await using var sender = Client.CreateSender("missing");
        await using var receiver = Client.CreateReceiver("missing");

        Assert.Equal(ServiceBusFailureReason.MessagingEntityNotFound, await FailureOfAsync(() => sender.SendMessageAsync(new ServiceBusMessage("x"))));
        Assert.Equal(ServiceBusFailureReason.MessagingEntityNotFound, await FailureOfAsync(() => receiver.ReceiveMessageAsync(Empty)));
    }

    [Fact]
    public async Task Processor_HandlerThrows_EndsInTheDeadLetterQueue()
    {
        Bus.AddQueue(Queue, new QueueOptions { MaxDeliveryCount = 3 });
        await SendAsync(new ServiceBusMessage("boom"));
        var calls = 0;
        await using var processor = Client.CreateProcessor(Queue);
        processor.ProcessMessageAsync += _ =>
        {
            Interlocked.Increment(ref calls);
            throw new InvalidOperationException("boom");
        };
        processor.ProcessErrorAsync += _ => Task.CompletedTask;

        await processor.StartProcessingAsync();
        await UntilAsync(() => Bus.Counts(DeadLetters).Total == 1);
        await processor.StopProcessingAsync();

        Assert.Equal(3, calls);
    }
}
