using Azure.Messaging.ServiceBus;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Payments.Local.ServiceBus;

namespace Payments.SelfHost.Tests;

public sealed class ServiceBusTriggerTests : IAsyncLifetime
{
    private const string Queue = "payments";

    private readonly ServiceBusDouble _bus = ServiceBusDouble.Start();
    private readonly Sink _sink = new();
    private readonly ServiceBusClient _client;

    public ServiceBusTriggerTests() => _client = new ServiceBusClient(_bus.ConnectionString);

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _client.DisposeAsync();
        await _bus.DisposeAsync();
    }

    private Task<ProbeHost> StartAsync<T>(string hostJson = """{ "version": "2.0" }""", Action<FunctionsApplicationBuilder>? also = null) => ProbeHost.StartAsync<T>(
        hostJson,
        builder =>
        {
            builder.Services.AddSingleton(_sink);
            also?.Invoke(builder);
        },
        new() { ["Bus"] = _bus.ConnectionString });

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
        _bus.AddQueue(Queue);
        await using var host = await StartAsync<BusProbe>();
        await SendAsync(new ServiceBusMessage("hello") { MessageId = "m1", CorrelationId = "c1" });
        await Poll.UntilAsync(async () => !_sink.Seen.IsEmpty && (await PeekAsync()).Count == 0, "the message is completed");

        Assert.Equal(["hello 1"], _sink.Seen);
        Assert.Equal("m1", _sink.Data!["messageid"]);
        Assert.Equal("c1", _sink.Data["CorrelationId"]);
        Assert.Equal("1", _sink.Data["DeliveryCount"]);
        Assert.StartsWith("\"20", Assert.IsType<string>(_sink.Data["EnqueuedTimeUtc"]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Message_WhoseFunctionFails_IsAbandonedUntilItIsDeadLettered()
    {
        _bus.AddQueue(Queue, new QueueOptions { MaxDeliveryCount = 3 });
        _sink.Fail = true;
        await using var host = await StartAsync<BusProbe>();
        await SendAsync(new ServiceBusMessage("bad"));
        await Poll.UntilAsync(async () => (await PeekAsync(ServiceBusDouble.DeadLetterQueueOf(Queue))).Count == 1, "the message is dead-lettered");
        Assert.Equal(["bad 1", "bad 2", "bad 3"], _sink.Seen);
    }

    [Fact]
    public async Task AutoComplete_FalseInHostJson_LeavesTheMessageToTheFunction()
    {
        _bus.AddQueue(Queue);
        await using (await StartAsync<BusProbe>("""{ "extensions": { "serviceBus": { "autoCompleteMessages": false } } }"""))
        {
            await SendAsync(new ServiceBusMessage("kept"));
            await Poll.UntilAsync(() => !_sink.Seen.IsEmpty, "the function runs");
        }
        Assert.Single(await PeekAsync());
    }

    [Fact]
    public async Task AutoComplete_SetOnTheAttribute_WinsOverHostJson()
    {
        _bus.AddQueue(Queue);
        await using (await StartAsync<KeepingBusProbe>())
        {
            await SendAsync(new ServiceBusMessage("kept"));
            await Poll.UntilAsync(() => !_sink.Seen.IsEmpty, "the function runs");
        }
        Assert.Single(await PeekAsync());
    }

    [Fact]
    public async Task Actions_DeadLetter_SettlesAndAutoCompleteLeavesItSo()
    {
        _bus.AddQueue(Queue);
        await using var host = await StartAsync<DeadLetteringBusProbe>();
        await SendAsync(new ServiceBusMessage("x"));
        var deadLetters = ServiceBusDouble.DeadLetterQueueOf(Queue);
        await Poll.UntilAsync(async () => (await PeekAsync(deadLetters)).Count == 1, "the message is dead-lettered");
        var message = (await PeekAsync(deadLetters)).Single();
        Assert.Equal("why", message.DeadLetterReason);
        Assert.Equal("because", message.DeadLetterErrorDescription);
        Assert.Empty(await PeekAsync());
    }

    [Fact]
    public async Task Batch_ArrivesAsArrayAndIsCompleted()
    {
        _bus.AddQueue(Queue);
        await SendAsync(Enumerable.Range(0, 5).Select(i => new ServiceBusMessage($"{i}") { MessageId = $"m{i}" }));
        await using var host = await StartAsync<BatchBusProbe>();
        await Poll.UntilAsync(async () => _sink.Seen.Sum(text => text.Split(',').Length) == 5 && (await PeekAsync()).Count == 0, "all are completed");
        Assert.Equal(["0", "1", "2", "3", "4"], _sink.Seen.SelectMany(text => text.Split(',')));
        Assert.StartsWith("[\"m", Assert.IsType<string>(_sink.Data!["MessageIdArray"]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sessions_AreReadInOrderWithTheirState()
    {
        _bus.AddQueue(Queue, new QueueOptions { RequiresSession = true });
        await SendAsync(
            from i in Enumerable.Range(0, 3)
            from session in (string[])["a", "b"]
            select new ServiceBusMessage($"{i}") { SessionId = session });
        await using var host = await StartAsync<SessionBusProbe>();
        await Poll.UntilAsync(async () => _sink.Seen.Count == 6 && (await PeekAsync()).Count == 0, "all are completed");
        Assert.Equal(["a 0 state:", "a 1 state:0", "a 2 state:1"], _sink.Seen.Where(text => text[0] == 'a'));
        Assert.Equal(["b 0 state:", "b 1 state:0", "b 2 state:1"], _sink.Seen.Where(text => text[0] == 'b'));
    }

    [Fact]
    public async Task Subscription_IsRead()
    {
        _bus.AddSubscription("topic", "sub");
        await using var host = await StartAsync<TopicBusProbe>();
        await using var sender = _client.CreateSender("topic");
        await sender.SendMessageAsync(new ServiceBusMessage("to all"));
        await Poll.UntilAsync(() => !_sink.Seen.IsEmpty, "the function runs");
        Assert.Equal(["to all"], _sink.Seen);
    }

    [Fact]
    public async Task DeadLetterQueue_IsReadByItsPath()
    {
        _bus.AddQueue(Queue);
        await SendAsync(new ServiceBusMessage("dead"));
        await using (var receiver = _client.CreateReceiver(Queue))
            await receiver.DeadLetterMessageAsync(await receiver.ReceiveMessageAsync(), "why");
        await using var host = await StartAsync<DeadLetterQueueBusProbe>();
        await Poll.UntilAsync(async () => !_sink.Seen.IsEmpty && (await PeekAsync(ServiceBusDouble.DeadLetterQueueOf(Queue))).Count == 0, "it is completed");
        Assert.Equal(["dead why"], _sink.Seen);
    }

    [Fact]
    public async Task Stop_WaitsForARunningMessageAndCompletesIt()
    {
        _bus.AddQueue(Queue);
        _sink.Hold = new TaskCompletionSource();
        var host = await StartAsync<BusProbe>();
        await SendAsync(new ServiceBusMessage("running"));
        await Poll.UntilAsync(() => !_sink.Seen.IsEmpty, "the function runs");
        var stop = host.Host.StopAsync();
        Assert.False(stop.IsCompleted);
        _sink.Hold.SetResult();
        await stop.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.False(_sink.Cancelled);
        Assert.Empty(await PeekAsync());
        await host.DisposeAsync();
    }

    [Fact]
    public async Task TraceContext_IsTheOneThatTheMessageCarries()
    {
        const string parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        var seen = new TaskCompletionSource<string>();
        _bus.AddQueue(Queue);
        await using var host = await StartAsync<BusProbe>(also: builder => builder.UseMiddleware(async (context, next) =>
        {
            seen.TrySetResult(context.TraceContext.TraceParent);
            await next();
        }));
        await SendAsync(new ServiceBusMessage("x") { ApplicationProperties = { ["Diagnostic-Id"] = parent } });
        Assert.Equal(parent, await seen.Task.WaitAsync(TimeSpan.FromSeconds(20)));
    }

    [Fact]
    public async Task Connection_Missing_IsRefusedAtStart()
    {
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => ProbeHost.StartAsync<BusProbe>(
            configure: builder => builder.Services.AddSingleton(_sink)));
        Assert.Contains("'Bus'", e.Message, StringComparison.Ordinal);
    }
}

public sealed class BusProbe(Sink sink)
{
    [Function("Bus")]
    public Task Run([ServiceBusTrigger("payments", Connection = "Bus")] ServiceBusReceivedMessage message, FunctionContext context, CancellationToken cancellation) =>
        sink.TakeAsync($"{message.Body} {message.DeliveryCount}", context, cancellation);
}

public sealed class KeepingBusProbe(Sink sink)
{
    [Function("KeepingBus")]
    public Task Run(
        [ServiceBusTrigger("payments", Connection = "Bus", AutoCompleteMessages = false)] string text, FunctionContext context, CancellationToken cancellation) =>
        sink.TakeAsync(text, context, cancellation);
}

public sealed class DeadLetterQueueBusProbe(Sink sink)
{
    [Function("DeadLetterQueueBus")]
    public Task Run([ServiceBusTrigger("payments/$deadletterqueue", Connection = "Bus")] ServiceBusReceivedMessage message, FunctionContext context, CancellationToken cancellation) =>
        sink.TakeAsync($"{message.Body} {message.DeadLetterReason}", context, cancellation);
}

public sealed class DeadLetteringBusProbe
{
    [Function("DeadLetteringBus")]
    public Task Run(
        [ServiceBusTrigger("payments", Connection = "Bus")] ServiceBusReceivedMessage message, ServiceBusMessageActions actions, CancellationToken cancellation) =>
        actions.DeadLetterMessageAsync(message, deadLetterReason: "why", deadLetterErrorDescription: "because", cancellationToken: cancellation);
}

public sealed class BatchBusProbe(Sink sink)
{
    [Function("BatchBus")]
    public Task Run(
        [ServiceBusTrigger("payments", Connection = "Bus", IsBatched = true)] ServiceBusReceivedMessage[] messages, FunctionContext context, CancellationToken cancellation) =>
        sink.TakeAsync(string.Join(',', messages.Select(message => message.Body.ToString())), context, cancellation);
}

public sealed class SessionBusProbe(Sink sink)
{
    [Function("SessionBus")]
    public async Task Run(
        [ServiceBusTrigger("payments", Connection = "Bus", IsSessionsEnabled = true)] ServiceBusReceivedMessage message,
        ServiceBusSessionMessageActions session, FunctionContext context, CancellationToken cancellation)
    {
        var state = await session.GetSessionStateAsync(cancellation);
        await session.SetSessionStateAsync(message.Body, cancellation);
        await sink.TakeAsync($"{message.SessionId} {message.Body} state:{state}", context, cancellation);
    }
}

public sealed class TopicBusProbe(Sink sink)
{
    [Function("TopicBus")]
    public Task Run([ServiceBusTrigger("topic", "sub", Connection = "Bus")] string text, FunctionContext context, CancellationToken cancellation) =>
        sink.TakeAsync(text, context, cancellation);
}
