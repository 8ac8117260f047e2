using System.Collections.Concurrent;
using System.Globalization;
using Azure.Storage.Queues.Models;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Payments.SelfHost.Tests;

public sealed class QueueTriggerTests
{
    private const string Quick = """{ "extensions": { "queues": { "maxPollingInterval": "00:00:00.100", "maxDequeueCount": 3 } } }""";

    private readonly TestStorage _storage = TestStorage.Open();
    private readonly Sink _sink = new();

    private Task<ProbeHost> StartAsync<T>(string hostJson = Quick, Dictionary<string, string?>? more = null, Action<FunctionsApplicationBuilder>? also = null) =>
        ProbeHost.StartAsync<T>(hostJson, builder =>
        {
            builder.Services.AddSingleton(_sink);
            also?.Invoke(builder);
        }, new(_storage.Settings.Concat(more ?? [])));

    [Fact]
    public async Task Message_InBase64_ArrivesDecodedWithItsMetadataAndIsDeleted()
    {
        await using var host = await StartAsync<StringQueueProbe>();
        await _storage.SendAsync("hé");
        await Poll.UntilAsync(() => !_sink.Seen.IsEmpty, "the function runs");

        Assert.Equal("hé", _sink.Seen.Single());
        var data = _sink.Data!;
        Assert.Equal("hé", data["queuetrigger"]);
        Assert.Equal("1", data["DequeueCount"]);
        Assert.StartsWith("\"20", Assert.IsType<string>(data["InsertionTime"]), StringComparison.Ordinal);
        Assert.NotEqual("", data["PopReceipt"]);
        await Poll.UntilAsync(async () => await TestStorage.CountAsync(_storage.Queue) == 0, "the message is deleted");
    }

    [Fact]
    public async Task Message_BindsToQueueMessageBinaryDataAndJson()
    {
        await using var messages = await StartAsync<QueueMessageProbe>();
        await _storage.SendAsync("""{ "NAME": "x" }""");
        await Poll.UntilAsync(() => !_sink.Seen.IsEmpty, "the function runs");
        Assert.Equal("""{ "NAME": "x" } 1""", _sink.Seen.Single());
        await messages.DisposeAsync();

        _sink.Seen.Clear();
        await using var json = await StartAsync<JsonQueueProbe>();
        await _storage.SendAsync("""{ "NAME": "x" }""");
        await Poll.UntilAsync(() => !_sink.Seen.IsEmpty, "the function runs");
        Assert.Equal("x", _sink.Seen.Single());
        await json.DisposeAsync();

        _sink.Seen.Clear();
        await using var binary = await StartAsync<BinaryQueueProbe>();
        await _storage.SendAsync("bytes");
        await Poll.UntilAsync(() => !_sink.Seen.IsEmpty, "the function runs");
        Assert.Equal("bytes", _sink.Seen.Single());
    }

    [Fact]
    public async Task MissingQueue_IsCreated()
    {
        await using var host = await StartAsync<StringQueueProbe>();
        await Poll.UntilAsync(async () => await _storage.Queue.ExistsAsync(), "the queue exists");
    }

    [Fact]
    public async Task Message_ThatFailsMaxDequeueCountTimes_MovesToThePoisonQueueUnchanged()
    {
        _sink.Fail = true;
        await using var host = await StartAsync<StringQueueProbe>();
        await _storage.SendAsync("bad");
        await Poll.UntilAsync(async () => await TestStorage.CountAsync(_storage.Poison) == 1, "the message is poisoned");

        Assert.Equal(["1", "2", "3"], _sink.DequeueCounts);
        Assert.Equal("YmFk", (await _storage.Poison.PeekMessageAsync()).Value.Body.ToString());
        await Poll.UntilAsync(async () => await TestStorage.CountAsync(_storage.Queue) == 0, "the message left its queue");
    }

    [Fact]
    public async Task Message_InPlainText_MovesToThePoisonQueueWithoutARun()
    {
        await using var host = await StartAsync<StringQueueProbe>();
        await _storage.SendAsync("{ not base64 }", base64: false);
        await Poll.UntilAsync(async () => await TestStorage.CountAsync(_storage.Poison) == 1, "the message is poisoned");
        Assert.Empty(_sink.Seen);
        Assert.Equal("{ not base64 }", (await _storage.Poison.PeekMessageAsync()).Value.Body.ToString());
    }

    [Fact]
    public async Task Message_InPlainText_ArrivesWhereHostJsonSaysSo()
    {
        await using var host = await StartAsync<StringQueueProbe>("""{ "extensions": { "queues": { "messageEncoding": "none" } } }""");
        await _storage.SendAsync("{ plain }", base64: false);
        await Poll.UntilAsync(() => !_sink.Seen.IsEmpty, "the function runs");
        Assert.Equal("{ plain }", _sink.Seen.Single());
    }

    [Fact]
    public async Task Message_OfAPoisonQueue_StaysThereWhenItKeepsFailing()
    {
        _sink.Fail = true;
        var name = _storage.Name + "-poison";
        await using var host = await ProbeHost.StartAsync<OtherQueueProbe>(
            Quick, builder => builder.Services.AddSingleton(_sink), new(_storage.Settings) { ["Other"] = name, ["SelfHost:QueueLease"] = "00:00:01" });
        await _storage.Poison.CreateIfNotExistsAsync();
        await _storage.Poison.SendMessageAsync("YmFk");
        await Poll.UntilAsync(() => host.Output.ToString().Contains("is left there", StringComparison.Ordinal), "the host gives up");

        Assert.Equal(["1", "2", "3"], _sink.DequeueCounts);
        Assert.Equal(1, await TestStorage.CountAsync(_storage.Poison));
        Assert.False(await new Azure.Storage.Queues.QueueClient(_storage.Connection, name + "-poison").ExistsAsync());
    }

    [Fact]
    public async Task VisibilityTimeout_InHostJson_IsTheTimeBetweenAttempts()
    {
        _sink.Fail = true;
        var start = TimeProvider.System.GetTimestamp();
        await using var host = await StartAsync<StringQueueProbe>(
            """{ "extensions": { "queues": { "maxPollingInterval": "00:00:00.100", "maxDequeueCount": 2, "visibilityTimeout": "00:00:02" } } }""");
        await _storage.SendAsync("bad");
        await Poll.UntilAsync(async () => await TestStorage.CountAsync(_storage.Poison) == 1, "the message is poisoned");
        // The storage counts whole seconds, so the second attempt comes up to one earlier.
        Assert.True(TimeProvider.System.GetElapsedTime(start) >= TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task Converter_FailsOnAMessage_CountsAsFailure()
    {
        await using var host = await StartAsync<JsonQueueProbe>();
        await _storage.SendAsync("not json");
        await Poll.UntilAsync(async () => await TestStorage.CountAsync(_storage.Poison) == 1, "the message is poisoned");
        Assert.Contains(nameof(FunctionInputConverterException), host.Output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task LongRun_KeepsItsMessageHidden()
    {
        var lease = TimeSpan.FromSeconds(4);
        _sink.Hold = new TaskCompletionSource();
        await using var host = await StartAsync<StringQueueProbe>(more: new() { ["SelfHost:QueueLease"] = lease.ToString() });
        await _storage.SendAsync("long");
        await Poll.UntilAsync(() => !_sink.Seen.IsEmpty, "the function runs");
        // Without renewal the message would be shown and run again by now.
        await Task.Delay(lease * 1.5);
        _sink.Hold.SetResult();
        await Poll.UntilAsync(async () => await TestStorage.CountAsync(_storage.Queue) == 0, "the message is deleted");
        Assert.Single(_sink.Seen);
    }

    [Fact]
    public async Task Batch_LimitsHowManyRunAtOnce()
    {
        const string hostJson = """{ "extensions": { "queues": { "batchSize": 2, "newBatchThreshold": 0, "maxPollingInterval": "00:00:00.100" } } }""";
        for (var i = 0; i < 7; i++)
            await _storage.SendAsync(i.ToString(CultureInfo.InvariantCulture));
        await using var host = await StartAsync<StringQueueProbe>(hostJson);
        await Poll.UntilAsync(async () => _sink.Seen.Count == 7 && await TestStorage.CountAsync(_storage.Queue) == 0, "all have run");
        Assert.InRange(_sink.MostAtOnce, 1, 2);
    }

    [Fact]
    public async Task Stop_WaitsForARunningMessageAndDeletesIt()
    {
        _sink.Hold = new TaskCompletionSource();
        var host = await StartAsync<StringQueueProbe>();
        await _storage.SendAsync("running");
        await Poll.UntilAsync(() => !_sink.Seen.IsEmpty, "the function runs");
        var stop = host.Host.StopAsync();
        Assert.False(stop.IsCompleted);
        _sink.Hold.SetResult();
        await stop.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(0, await TestStorage.CountAsync(_storage.Queue));
        await host.DisposeAsync();
    }

    [Fact]
    public async Task Stop_BeyondTheShutdownTimeout_TripsTheTokenAndKeepsTheMessage()
    {
        _sink.Hold = new TaskCompletionSource();
        var host = await StartAsync<StringQueueProbe>(more: new() { ["SelfHost:ShutdownTimeout"] = "00:00:00.200" });
        await _storage.SendAsync("running");
        await Poll.UntilAsync(() => !_sink.Seen.IsEmpty, "the function runs");
        await host.Host.StopAsync().WaitAsync(TimeSpan.FromSeconds(10));
        Assert.True(_sink.Cancelled);
        Assert.Equal(1, await TestStorage.CountAsync(_storage.Queue));
        await host.DisposeAsync();
    }

    [Fact]
    public async Task Invocation_HasNoRequestNoRetryContextAndAScopeOfItsOwn()
    {
        var scopes = new ConcurrentBag<Scoped>();
        var seen = new ConcurrentQueue<string>();
        await using var host = await StartAsync<StringQueueProbe>(also: builder =>
        {
            builder.ConfigureFunctionsWebApplication();
            builder.Services.AddSingleton(scopes).AddScoped<Scoped>();
            builder.UseMiddleware(async (context, next) =>
            {
                _ = context.InstanceServices.GetRequiredService<Scoped>();
                seen.Enqueue($"{context.FunctionDefinition.Name} {context.GetHttpContext() is null} {context.RetryContext is null}");
                await next();
            });
        });
        await _storage.SendAsync("1");
        await _storage.SendAsync("2");
        await Poll.UntilAsync(() => scopes.Count == 2 && scopes.All(scope => scope.Disposed), "two scopes are made and disposed");
        Assert.Equal(["StringQueue True True", "StringQueue True True"], seen);
    }

    [Fact]
    public async Task Disabled_QueueFunction_LeavesItsMessages()
    {
        await _storage.SendAsync("left");
        await using var host = await StartAsync<StringQueueProbe>(
            more: new() { ["AzureWebJobs.StringQueue.Disabled"] = "true" }, also: builder => builder.ConfigureFunctionsWebApplication());
        await using var other = await ProbeHost.StartAsync<OtherQueueProbe>(
            Quick, builder => builder.Services.AddSingleton(_sink), new(_storage.Settings) { ["Other"] = _storage.Name });
        await Poll.UntilAsync(() => !_sink.Seen.IsEmpty, "the enabled function runs");
        Assert.Equal(["other left"], _sink.Seen);
    }

    [Fact]
    public async Task Setting_Missing_IsRefusedAtStart()
    {
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync<OtherQueueProbe>());
        Assert.Contains("%Other%", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Connection_Missing_IsRefusedAtStart()
    {
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => ProbeHost.StartAsync<StringQueueProbe>(
            settings: new() { ["Queue"] = "q" }, configure: builder => builder.Services.AddSingleton(_sink)));
        Assert.Contains("AzureWebJobsStorage", e.Message, StringComparison.Ordinal);
    }
}

/// <summary>What the functions of a test saw, and how they are to behave.</summary>
public sealed class Sink
{
    private int _now;
    private int _most;

    public ConcurrentQueue<string> Seen { get; } = new();

    public ConcurrentQueue<string> DequeueCounts { get; } = new();

    public IReadOnlyDictionary<string, object?>? Data { get; private set; }

    public bool Fail { get; set; }

    public TaskCompletionSource? Hold { get; set; }

    public bool Cancelled { get; private set; }

    public int MostAtOnce => _most;

    public async Task TakeAsync(string text, FunctionContext context, CancellationToken cancellation)
    {
        var now = Interlocked.Increment(ref _now);
        int most;
        while ((most = Volatile.Read(ref _most)) < now && Interlocked.CompareExchange(ref _most, now, most) != most)
        {
            // Another run raised it first.
        }
        Data = context.BindingContext.BindingData;
        if (Data.TryGetValue("DequeueCount", out var count))
            DequeueCounts.Enqueue((string)count!);
        Seen.Enqueue(text);
        try
        {
            if (Hold is { } hold)
                await hold.Task.WaitAsync(cancellation);
        }
        catch (OperationCanceledException)
        {
            Cancelled = true;
            throw;
        }
        finally
        {
            Interlocked.Decrement(ref _now);
        }
        if (Fail)
            throw new InvalidOperationException("deliberate");
    }
}

public sealed class StringQueueProbe(Sink sink)
{
    [Function("StringQueue")]
    public Task Run([QueueTrigger("%Queue%")] string text, FunctionContext context, CancellationToken cancellation) => sink.TakeAsync(text, context, cancellation);
}

public sealed class OtherQueueProbe(Sink sink)
{
    [Function("OtherQueue")]
    public Task Run([QueueTrigger("%Other%")] string text, FunctionContext context, CancellationToken cancellation) => sink.TakeAsync("other " + text, context, cancellation);
}

public sealed class QueueMessageProbe(Sink sink)
{
    [Function("QueueMessage")]
    public Task Run([QueueTrigger("%Queue%")] QueueMessage message, FunctionContext context, CancellationToken cancellation) =>
        sink.TakeAsync($"{message.Body} {message.DequeueCount}", context, cancellation);
}

public sealed class JsonQueueProbe(Sink sink)
{
    [Function("JsonQueue")]
    public Task Run([QueueTrigger("%Queue%")] Named named, FunctionContext context, CancellationToken cancellation) => sink.TakeAsync(named.Name, context, cancellation);
}

public sealed class BinaryQueueProbe(Sink sink)
{
    [Function("BinaryQueue")]
    public Task Run([QueueTrigger("%Queue%")] BinaryData data, FunctionContext context, CancellationToken cancellation) => sink.TakeAsync(data.ToString(), context, cancellation);
}
