using Azure.Messaging.ServiceBus;

namespace Payments.Local.ServiceBus.Tests;

public sealed class DurabilityTests : IDisposable
{
    private const string Queue = "payments";
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

    private ServiceBusDouble Start()
    {
        var bus = ServiceBusDouble.Start(new ServiceBusDoubleOptions { DataFile = _file, Time = _time });
        bus.AddQueue(Queue, new QueueOptions { DuplicateWindow = TimeSpan.FromHours(1) });
        return bus;
    }
}
