using Azure.Messaging.ServiceBus;

namespace Payments.Local.ServiceBus.Tests;

public sealed class TimeTests : BusTest
{
    [Fact]
    public async Task LockExpiry_UnsettledMessage_RedeliversAndRefusesTheOldLock()
    {
        Bus.AddQueue(Queue);
        await SendAsync(new ServiceBusMessage("x"));
        await using var receiver = Client.CreateReceiver(Queue);
        var first = await ReceiveAsync(receiver);

        Time.Advance(TimeSpan.FromSeconds(31));

        var second = await ReceiveAsync(receiver);
        Assert.Equal(2, second.DeliveryCount);
        Assert.Equal(ServiceBusFailureReason.MessageLockLost, await FailureOfAsync(() => receiver.CompleteMessageAsync(first)));
        Assert.Equal(ServiceBusFailureReason.MessageLockLost, await FailureOfAsync(() => receiver.RenewMessageLockAsync(first)));
        await receiver.CompleteMessageAsync(second);
        Assert.Equal(0, Bus.Counts(Queue).Total);
    }

    [Fact]
    public async Task LockExpiry_AsOftenAsAllowed_DeadLetters()
    {
        Bus.AddQueue(Queue, new QueueOptions { MaxDeliveryCount = 2 });
        await SendAsync(new ServiceBusMessage("x"));
        await using var receiver = Client.CreateReceiver(Queue);

        for (var delivery = 1; delivery <= 2; delivery++)
        {
            await ReceiveAsync(receiver);
            Time.Advance(TimeSpan.FromSeconds(31));
        }

        Assert.Equal((0, 1), (Bus.Counts(Queue).Total, Bus.Counts(DeadLetters).Ready));
    }

    [Fact]
    public async Task RenewLock_BeforeExpiry_KeepsTheMessage()
    {
        Bus.AddQueue(Queue);
        await SendAsync(new ServiceBusMessage("x"));
        await using var receiver = Client.CreateReceiver(Queue);
        var message = await ReceiveAsync(receiver);

        for (var i = 0; i < 3; i++)
        {
            Time.Advance(TimeSpan.FromSeconds(20));
            await receiver.RenewMessageLockAsync(message);
        }

        await receiver.CompleteMessageAsync(message);
        var counts = Bus.Counts(Queue);
        Assert.Equal((0, 1L), (counts.Total, counts.Deliveries));
    }

    [Fact]
    public async Task Schedule_Message_ArrivesWhenDue()
    {
        Bus.AddQueue(Queue);
        await using var sender = Client.CreateSender(Queue);
        await using var receiver = Client.CreateReceiver(Queue);
        await sender.SendMessageAsync(new ServiceBusMessage("second") { ScheduledEnqueueTime = Time.GetUtcNow().AddDays(3) });
        await sender.ScheduleMessageAsync(new ServiceBusMessage("first"), Time.GetUtcNow().AddHours(1));
        Assert.Equal((2, 0), (Bus.Counts(Queue).Scheduled, Bus.Counts(Queue).Ready));
        Assert.Equal(ServiceBusMessageState.Scheduled, (await receiver.PeekMessageAsync()).State);

        Time.Advance(TimeSpan.FromHours(1));
        Assert.Equal("first", (await ReceiveAsync(receiver)).Body.ToString());
        Assert.Null(await receiver.ReceiveMessageAsync(Empty));
        Time.Advance(TimeSpan.FromDays(3));
        Assert.Contains(await receiver.PeekMessagesAsync(10, 0), message => message.Body.ToString() == "second"
            && message.State == ServiceBusMessageState.Active);
    }

    [Fact]
    public async Task CancelSchedule_Message_NeverArrives()
    {
        Bus.AddQueue(Queue);
        await using var sender = Client.CreateSender(Queue);
        var number = await sender.ScheduleMessageAsync(new ServiceBusMessage("never"), Time.GetUtcNow().AddHours(1));

        await sender.CancelScheduledMessageAsync(number);

        Assert.Equal(ServiceBusFailureReason.MessageNotFound, await FailureOfAsync(() => sender.CancelScheduledMessageAsync(number)));
        Time.Advance(TimeSpan.FromHours(2));
        Assert.Equal(0, Bus.Counts(Queue).Total);
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 0)]
    public async Task Expiry_UnreceivedMessage_GoesWhereTheQueueSays(bool deadLetterOnExpiry, int deadLetters)
    {
        Bus.AddQueue(Queue, new QueueOptions { DeadLetterOnExpiry = deadLetterOnExpiry, DefaultTimeToLive = TimeSpan.FromHours(1) });
        await SendAsync(new ServiceBusMessage("own") { TimeToLive = TimeSpan.FromMinutes(1) });
        await SendAsync(new ServiceBusMessage("default"));

        Time.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal((1, deadLetters), (Bus.Counts(Queue).Total, Bus.Counts(DeadLetters).Total));
        Time.Advance(TimeSpan.FromHours(1));

        Assert.Equal((0, deadLetters * 2), (Bus.Counts(Queue).Total, Bus.Counts(DeadLetters).Total));
        if (deadLetterOnExpiry)
        {
            await using var dead = Client.CreateReceiver(DeadLetters);
            Assert.Equal("TTLExpiredException", (await ReceiveAsync(dead)).DeadLetterReason);
        }
    }

    [Fact]
    public async Task DuplicateDetection_SameIdWithinTheWindow_StoresOne()
    {
        Bus.AddQueue(Queue, new QueueOptions { DuplicateWindow = TimeSpan.FromMinutes(10) });
        await SendAsync(new ServiceBusMessage("x") { MessageId = "same" });
        await SendAsync(new ServiceBusMessage("x") { MessageId = "same" }, new ServiceBusMessage("y") { MessageId = "other" });
        Assert.Equal((2, 1L), (Bus.Counts(Queue).Ready, Bus.Counts(Queue).Duplicates));

        Time.Advance(TimeSpan.FromMinutes(11));
        await SendAsync(new ServiceBusMessage("x") { MessageId = "same" });

        Assert.Equal(3, Bus.Counts(Queue).Ready);
    }
}
