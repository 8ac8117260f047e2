using System.Globalization;

namespace FunctionsHost.Tests;

public sealed class QueueTriggerTests(StorageServer server) : StorageTests(server)
{
    private Task<SampleHost> StartAsync(string function, bool hold = false, params (string Name, string Value)[] more) =>
        SampleHost.StartAsync([function], Storage.With(more), hold: hold);

    [Fact]
    public async Task Message_InBase64_ArrivesDecodedWithItsMetadataAndIsDeleted()
    {
        await using var host = await StartAsync("TextQueue");
        await Storage.SendAsync("hé");
        await host.RunsAsync(1);

        var run = host.Runs().Single();
        Assert.Equal("hé", run.Text);
        Assert.Equal("hé", run.Data!["QueueTrigger"]);
        Assert.Equal("1", run.Data["DequeueCount"]);
        Assert.StartsWith("\"20", run.Data["InsertionTime"], StringComparison.Ordinal);
        Assert.NotEqual("", run.Data["PopReceipt"]);
        Assert.Null(run.Retry);
        await host.UntilAsync(async () => await TestStorage.CountAsync(Storage.Queue) == 0, "the message is deleted");
    }

    [Theory]
    [InlineData("MessageQueue", """{ "NAME": "x", "colour": "red" } 1 True""")]
    [InlineData("JsonQueue", "x red")]
    [InlineData("BytesQueue", "7B20224E414D45223A202278222C2022636F6C6F7572223A202272656422207D")]
    public async Task Message_GoesToTheWorkerAsItsParameterWants(string function, string expected)
    {
        await using var host = await StartAsync(function);
        await Storage.SendAsync("""{ "NAME": "x", "colour": "red" }""");
        await host.RunsAsync(1);
        Assert.Equal([expected], host.Texts());
    }

    [Fact]
    public async Task MissingQueue_IsCreated()
    {
        await using var host = await StartAsync("TextQueue");
        await host.UntilAsync(async () => await Storage.Queue.ExistsAsync(), "the queue exists");
    }

    [Fact]
    public async Task Message_ThatFailsMaxDequeueCountTimes_MovesToThePoisonQueueUnchanged()
    {
        await using var host = await StartAsync("TextQueue", more: ("Fail", "true"));
        await Storage.SendAsync("bad");
        await host.UntilAsync(async () => await TestStorage.CountAsync(Storage.Poison) == 1, "the message is poisoned");

        Assert.Equal(["1", "2", "3"], host.Runs().Select(run => run.Data!["DequeueCount"]));
        Assert.Equal("YmFk", (await Storage.Poison.PeekMessageAsync()).Value.Body.ToString());
        await host.UntilAsync(async () => await TestStorage.CountAsync(Storage.Queue) == 0, "the message left its queue");
        Assert.Contains("Function 'TextQueue' failed", host.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Message_InPlainText_MovesToThePoisonQueueWithoutARun()
    {
        await using var host = await StartAsync("TextQueue");
        await Storage.SendRawAsync("{ not base64 }");
        await host.UntilAsync(async () => await TestStorage.CountAsync(Storage.Poison) == 1, "the message is poisoned");
        Assert.Empty(host.Runs());
        Assert.Equal("{ not base64 }", (await Storage.Poison.PeekMessageAsync()).Value.Body.ToString());
    }

    [Fact]
    public async Task Message_InPlainText_ArrivesWhereHostJsonSaysSo()
    {
        await using var host = await StartAsync("TextQueue", more: ("AzureFunctionsJobHost:extensions:queues:messageEncoding", "none"));
        await Storage.SendRawAsync("{ plain }");
        await host.RunsAsync(1);
        Assert.Equal(["{ plain }"], host.Texts());
    }

    [Fact]
    public async Task Message_OfAPoisonQueue_StaysThereWhenItKeepsFailing()
    {
        await using var host = await StartAsync(
            "OtherQueue", more: [("OtherQueue", Storage.Name + "-poison"), ("FunctionsHost:QueueLease", "00:00:01"), ("Fail", "true")]);
        await Storage.Poison.CreateIfNotExistsAsync();
        await Storage.Poison.SendMessageAsync("YmFk");
        await host.UntilAsync(() => host.Output.Contains("is left there", StringComparison.Ordinal), "the host gives up");

        Assert.Equal(["1", "2", "3"], host.Runs().Select(run => run.Data!["DequeueCount"]));
        Assert.Equal(1, await TestStorage.CountAsync(Storage.Poison));
        Assert.False(await new Azure.Storage.Queues.QueueClient(Storage.Connection, Storage.Name + "-poison-poison").ExistsAsync());
    }

    [Fact]
    public async Task VisibilityTimeout_InHostJson_IsTheTimeBetweenAttempts()
    {
        await using var host = await StartAsync(
            "TextQueue", more: [("Fail", "true"), ("AzureFunctionsJobHost:extensions:queues:visibilityTimeout", "00:00:03")]);
        await Storage.SendAsync("bad");
        await host.RunsAsync(1);
        var first = TimeProvider.System.GetTimestamp();
        await host.RunsAsync(2);
        // The storage counts whole seconds, so the second attempt comes up to one earlier, and the first was seen a little late.
        Assert.True(TimeProvider.System.GetElapsedTime(first) >= TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task Message_WhoseParameterCannotBeMade_CountsAsFailure()
    {
        await using var host = await StartAsync("JsonQueue");
        await Storage.SendAsync("not json");
        await host.UntilAsync(async () => await TestStorage.CountAsync(Storage.Poison) == 1, "the message is poisoned");
        Assert.Contains("Function 'JsonQueue' failed", host.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task LongRun_KeepsItsMessageHidden()
    {
        var lease = TimeSpan.FromSeconds(4);
        await using var host = await StartAsync("TextQueue", hold: true, ("FunctionsHost:QueueLease", lease.ToString()));
        await Storage.SendAsync("long");
        await host.RunsAsync(1);
        // Without renewal the message would be shown and run again by now.
        await Task.Delay(lease * 1.5);
        host.Release();
        await host.UntilAsync(async () => await TestStorage.CountAsync(Storage.Queue) == 0, "the message is deleted");
        Assert.Single(host.Runs());
    }

    [Fact]
    public async Task Batch_LimitsHowManyRunAtOnce()
    {
        for (var i = 0; i < 7; i++)
            await Storage.SendAsync(i.ToString(CultureInfo.InvariantCulture));
        await using var host = await StartAsync(
            "TextQueue",
            more:
            [
                ("AzureFunctionsJobHost:extensions:queues:batchSize", "2"),
                ("AzureFunctionsJobHost:extensions:queues:newBatchThreshold", "0"),
            ]);
        await host.UntilAsync(async () => host.Runs().Count == 7 && await TestStorage.CountAsync(Storage.Queue) == 0, "all have run");
        Assert.All(host.Runs(), run => Assert.InRange(run.Running, 1, 2));
    }

    [Fact]
    public async Task Stop_WaitsForARunningMessageAndDeletesIt()
    {
        await using var host = await StartAsync("TextQueue", hold: true);
        await Storage.SendAsync("running");
        await host.RunsAsync(1);
        await host.SignalAsync("TERM");
        host.Release();
        Assert.Equal(0, await host.ExitAsync());
        Assert.Equal(["running"], host.Texts());
        Assert.Equal(0, await TestStorage.CountAsync(Storage.Queue));
    }

    [Fact]
    public async Task Stop_BeyondTheShutdownTimeout_TripsTheTokenAndKeepsTheMessage()
    {
        await using var host = await StartAsync("TextQueue", hold: true, ("FunctionsHost:ShutdownTimeout", "00:00:00.200"));
        await Storage.SendAsync("running");
        await host.RunsAsync(1);
        await host.SignalAsync("TERM");
        Assert.Equal(0, await host.ExitAsync());
        Assert.Equal(["running", "cancelled"], host.Texts());
        Assert.Equal(1, await TestStorage.CountAsync(Storage.Queue));
    }

    [Fact]
    public async Task Worker_ThatDiesWithAMessage_IsReplacedAndTheMessageRunsAgain()
    {
        await using var host = await StartAsync("TextQueue", hold: true);
        await Storage.SendAsync("twice");
        await host.RunsAsync(1);
        using (var worker = System.Diagnostics.Process.GetProcessById(await host.WorkerAsync()))
            worker.Kill();
        await host.RunsAsync(2, "another worker gets the message");
        host.Release();
        await host.UntilAsync(async () => await TestStorage.CountAsync(Storage.Queue) == 0, "the message is deleted");
        Assert.Equal(["1", "2"], host.Runs().Select(run => run.Data!["DequeueCount"]));
    }

    [Fact]
    public async Task Disabled_QueueFunction_LeavesItsMessages()
    {
        await Storage.SendAsync("left");
        await using var host = await StartAsync("OtherQueue", more: ("OtherQueue", Storage.Name));
        await host.RunsAsync(1);
        Assert.Equal(["other left"], host.Texts());
        Assert.Contains("TextQueue: queueTrigger (disabled)", host.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Setting_Missing_IsRefusedAtStart()
    {
        var (exitCode, output) = await SampleHost.RefuseAsync(["OtherQueue"], Storage.With());
        Assert.Equal(1, exitCode);
        Assert.Contains(
            "Function 'OtherQueue' asks for the setting 'OtherQueue' (as %OtherQueue%), which is not set.", output,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Connection_Missing_IsRefusedAtStart()
    {
        var (exitCode, output) = await SampleHost.RefuseAsync(["TextQueue"], new Dictionary<string, string> { ["Queue"] = "q" });
        Assert.Equal(1, exitCode);
        Assert.Contains(
            "Function 'TextQueue' needs the storage connection 'AzureWebJobsStorage', which is not set.", output, StringComparison.Ordinal);
    }
}
