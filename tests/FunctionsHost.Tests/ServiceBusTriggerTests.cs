using Azure.Messaging.ServiceBus;
using Payments.Local.ServiceBus;

namespace FunctionsHost.Tests;

public sealed class ServiceBusTriggerTests : IAsyncLifetime
{
    private const string Queue = "payments";

    private static readonly string DeadLetters = ServiceBusDouble.DeadLetterQueueOf(Queue);

    private readonly ServiceBusDouble _bus = ServiceBusDouble.Start();
    private readonly ServiceBusClient _client;

    public ServiceBusTriggerTests() => _client = new ServiceBusClient(_bus.ConnectionString);

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _client.DisposeAsync();
        await _bus.DisposeAsync();
    }

    private Task<SampleHost> StartAsync(string function, bool hold = false, params (string Name, string Value)[] more) =>
        SampleHost.StartAsync(
        [function], more.Append(("Bus", _bus.ConnectionString)).ToDictionary(pair => pair.Item1, pair => pair.Item2), hold: hold);

    private async Task SendAsync(params IEnumerable<ServiceBusMessage> messages)
    {
        await using var sender = _client.CreateSender(Queue);
        await sender.SendMessagesAsync(messages);
    }

    private async Task<List<ServiceBusReceivedMessage>> PeekAsync(string entity = Queue)
    {
        await using var receiver = _client.CreateReceiver(entity);
        return [.. await receiver.PeekMessagesAsync(100, 0)];
    }

    [Fact]
    public async Task Message_ArrivesWithItsMetadataAndIsCompleted()
    {
        const string parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        _bus.AddQueue(Queue);
        await using var host = await StartAsync("Bus");
        await SendAsync(
            new ServiceBusMessage("hello")
            {
                MessageId = "m1",
                CorrelationId = "c1",
                ApplicationProperties = { ["Diagnostic-Id"] = parent },
            });
        await host.UntilAsync(async () => host.Runs().Count > 0 && (await PeekAsync()).Count == 0, "the message is completed");

        var run = host.Runs().Single();
        Assert.Equal("hello 1", run.Text);
        Assert.Equal(parent, run.TraceParent);
        Assert.Equal("m1", run.Data!["MessageId"]);
        Assert.Equal("c1", run.Data["CorrelationId"]);
        Assert.Equal("1", run.Data["DeliveryCount"]);
        Assert.StartsWith("\"20", run.Data["EnqueuedTimeUtc"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Message_WhoseFunctionFails_IsAbandonedUntilItIsDeadLettered()
    {
        _bus.AddQueue(Queue, new QueueOptions { MaxDeliveryCount = 3 });
        await using var host = await StartAsync("Bus", more: ("Fail", "true"));
        await SendAsync(new ServiceBusMessage("bad"));
        await host.UntilAsync(async () => (await PeekAsync(DeadLetters)).Count == 1, "the message is dead-lettered");
        Assert.Equal(["bad 1", "bad 2", "bad 3"], host.Texts());
    }

    [Fact]
    public async Task AutoComplete_FalseInHostJson_LeavesTheMessageToTheFunction()
    {
        _bus.AddQueue(Queue);
        await using (
            var host = await StartAsync("Bus", more: ("AzureFunctionsJobHost:extensions:serviceBus:autoCompleteMessages", "false")))
        {
            await SendAsync(new ServiceBusMessage("kept"));
            await host.RunsAsync(1);
            Assert.Equal(0, await host.StopAsync());
        }
        Assert.Single(await PeekAsync());
    }

    [Fact]
    public async Task AutoComplete_SetOnTheTrigger_WinsOverHostJson()
    {
        _bus.AddQueue(Queue);
        await using (var host = await StartAsync("BusText"))
        {
            await SendAsync(new ServiceBusMessage("kept"));
            await host.RunsAsync(1);
            Assert.Equal(0, await host.StopAsync());
        }
        Assert.Single(await PeekAsync());
    }

    [Fact]
    public async Task Actions_DeadLetter_SettlesWithReasonAndPropertiesAndAutoCompleteLeavesItSo()
    {
        _bus.AddQueue(Queue);
        await using var host = await StartAsync("BusSettles");
        await SendAsync(new ServiceBusMessage("dead-letter"));
        await host.UntilAsync(async () => (await PeekAsync(DeadLetters)).Count == 1, "the message is dead-lettered");
        var message = (await PeekAsync(DeadLetters)).Single();
        Assert.Equal("why", message.DeadLetterReason);
        Assert.Equal("because", message.DeadLetterErrorDescription);
        Assert.Equal("red", message.ApplicationProperties["colour"]);
        Assert.Equal(3, message.ApplicationProperties["count"]);
        Assert.Equal(DateTimeOffset.UnixEpoch, message.ApplicationProperties["at"]);
        Assert.Empty(await PeekAsync());
    }

    [Fact]
    public async Task Actions_Abandon_BringsTheMessageAgainWithItsProperties()
    {
        _bus.AddQueue(Queue);
        await using var host = await StartAsync("BusSettles");
        await SendAsync(new ServiceBusMessage("abandon"));
        await host.UntilAsync(async () => host.Runs().Count == 2 && (await PeekAsync()).Count == 0, "the second delivery is completed");
        Assert.Equal(["abandon 1", "abandon 2"], host.Texts());
        Assert.Contains("red", host.Runs()[1].Data!["ApplicationProperties"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("complete")]
    [InlineData("renew")]
    public async Task Actions_CompleteOrRenew_EndInACompletedMessage(string action)
    {
        _bus.AddQueue(Queue);
        await using var host = await StartAsync("BusSettles");
        await SendAsync(new ServiceBusMessage(action));
        await host.UntilAsync(async () => host.Runs().Count == 1 && (await PeekAsync()).Count == 0, "the message is completed");
        Assert.DoesNotContain("failed", host.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Actions_Defer_LeavesTheMessageDeferred()
    {
        _bus.AddQueue(Queue);
        await using var host = await StartAsync("BusSettles");
        await SendAsync(new ServiceBusMessage("defer"));
        await host.UntilAsync(async () => (await PeekAsync()) is [{ State: ServiceBusMessageState.Deferred }], "the message is deferred");
    }

    [Fact]
    public async Task Actions_AfterTheMessageWasSettled_FailWithAReason()
    {
        _bus.AddQueue(Queue);
        await using var host = await StartAsync("BusSettles");
        await SendAsync(new ServiceBusMessage("twice"));
        await host.UntilAsync(
            () => host.Output.Contains("Function 'BusSettles' failed", StringComparison.Ordinal), "the first delivery fails");
        await host.UntilAsync(async () => host.Runs().Count == 2 && (await PeekAsync()).Count == 0, "the second delivery is completed");
    }

    [Fact]
    public async Task Batch_ArrivesAsArrayAndWhatTheFunctionLeftIsCompleted()
    {
        _bus.AddQueue(Queue);
        await SendAsync(
            ((string[])["0", "1", "dead-letter", "3", "4"]).Select((body, i) => new ServiceBusMessage(body) { MessageId = $"m{i}" }));
        await using var host = await StartAsync("BusBatch");
        await host.UntilAsync(async () => host.Texts().Sum(text => text.Split(',').Length) == 5
            && (await PeekAsync()).Count == 0, "all are settled");
        Assert.Equal(["0", "1", "dead-letter", "3", "4"], host.Texts().SelectMany(text => text.Split(',')));
        Assert.True(host.Runs()[0].Data!.ContainsKey("MessageIdArray"));
        Assert.Equal("dead-letter", (await PeekAsync(DeadLetters)).Single().Body.ToString());
    }

    [Fact]
    public async Task Batch_WhoseFunctionFails_IsAbandonedButForWhatItSettled()
    {
        _bus.AddQueue(Queue, new QueueOptions { MaxDeliveryCount = 1 });
        await SendAsync(((string[])["0", "dead-letter"]).Select(body => new ServiceBusMessage(body)));
        await using var host = await StartAsync("BusBatch", more: ("Fail", "true"));
        await host.UntilAsync(async () => (await PeekAsync(DeadLetters)).Count == 2, "both are in the dead-letter queue");
        Assert.Single(await PeekAsync(DeadLetters), message => message.DeadLetterReason == "why");
    }

    [Fact]
    public async Task Sessions_AreReadInOrderWithTheirState()
    {
        _bus.AddQueue(Queue, new QueueOptions { RequiresSession = true });
        await SendAsync(
            from i in Enumerable.Range(0, 3)
            from session in (string[])["a", "b"]
            select new ServiceBusMessage($"{i}") { SessionId = session });
        await using var host = await StartAsync("BusSession");
        await host.UntilAsync(async () => host.Runs().Count == 6 && (await PeekAsync()).Count == 0, "all are completed");
        foreach (var session in (string[])["a", "b"])
        {
            Assert.Equal(
                [$"{session} 0 state: locked:True", $"{session} 1 state:0 locked:True", $"{session} 2 state:1 locked:True"],
                host.Texts().Where(text => text.StartsWith(session, StringComparison.Ordinal)));
        }
    }

    [Fact]
    public async Task Subscription_IsRead()
    {
        _bus.AddSubscription("topic", "sub");
        await using var host = await StartAsync("BusTopic");
        await using var sender = _client.CreateSender("topic");
        await sender.SendMessageAsync(new ServiceBusMessage("to all"));
        await host.RunsAsync(1);
        Assert.Equal(["to all"], host.Texts());
    }

    [Fact]
    public async Task DeadLetterQueue_IsReadByItsPath()
    {
        _bus.AddQueue(Queue);
        await SendAsync(new ServiceBusMessage("dead"));
        await using (var receiver = _client.CreateReceiver(Queue))
            await receiver.DeadLetterMessageAsync(await receiver.ReceiveMessageAsync(), "why");
        await using var host = await StartAsync("BusDeadLetters");
        await host.UntilAsync(async () => host.Runs().Count > 0 && (await PeekAsync(DeadLetters)).Count == 0, "it is completed");
        Assert.Equal(["dead why"], host.Texts());
    }

    [Fact]
    public async Task Stop_WaitsForARunningMessageAndCompletesIt()
    {
        _bus.AddQueue(Queue);
        await using var host = await StartAsync("Bus", hold: true);
        await SendAsync(new ServiceBusMessage("running"));
        await host.RunsAsync(1);
        await host.SignalAsync("TERM");
        host.Release();
        Assert.Equal(0, await host.ExitAsync());
        Assert.Equal(["running 1"], host.Texts());
        Assert.Empty(await PeekAsync());
    }

    [Fact]
    public async Task Connection_Missing_IsRefusedAtStart()
    {
        var (exitCode, output) = await SampleHost.RefuseAsync(["Bus"]);
        Assert.Equal(1, exitCode);
        Assert.Contains("Function 'Bus' needs the Service Bus connection 'Bus', which is not set.", output, StringComparison.Ordinal);
    }
}
