using System.Text;
using Azure.Storage.Blobs;
using Azure.Storage.Queues;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.DependencyInjection;
using Payments.SelfHost.Blobs;

namespace Payments.SelfHost.Tests;

public sealed class BlobPathTests
{
    [Theory]
    [InlineData("inbox/{partner}/{name}.csv", "visa/2026-01.csv", "partner=visa name=2026-01")]
    [InlineData("inbox/{name}", "a/b.txt", "name=a/b.txt")]
    [InlineData("inbox", "x", "name=x")]
    [InlineData("inbox/in.{name}", "in.x", "name=x")]
    [InlineData("inbox/in.{name}", "in-x", null)]
    [InlineData("inbox/{partner}/{name}.csv", "visa/2026-01.txt", null)]
    public void Match_GivesTheNamesOfThePattern(string path, string blob, string? expected)
    {
        var data = BlobPath.Parse(path, "F").Match(blob);
        Assert.Equal(expected, data is null ? null : string.Join(' ', data.Select(pair => $"{pair.Key}={pair.Value}")));
    }

    [Theory]
    [InlineData("{container}/x")]
    [InlineData("/x")]
    public void Parse_WithoutAContainer_IsRefusedByFunctionName(string path)
    {
        var e = Assert.Throws<InvalidOperationException>(() => BlobPath.Parse(path, "Disputes"));
        Assert.Contains("'Disputes'", e.Message, StringComparison.Ordinal);
    }
}

public sealed class BlobTriggerTests
{
    private const string HostJson = """{ "extensions": { "blobs": { "poisonBlobThreshold": 2 } } }""";

    private readonly TestStorage _storage = TestStorage.Open();
    private readonly Sink _sink = new();

    private Task<ProbeHost> StartAsync<T>() => ProbeHost.StartAsync<T>(HostJson, builder => builder.Services.AddSingleton(_sink), _storage.Settings);

    private async Task UploadAsync(string name, string content)
    {
        await _storage.Container.CreateIfNotExistsAsync();
        await _storage.Container.GetBlobClient(name).UploadAsync(BinaryData.FromString(content), overwrite: true);
    }

    [Fact]
    public async Task Blob_ThatMatches_StartsTheFunctionWithItsNamesOnce()
    {
        await UploadAsync("visa/january.txt", "no match");
        await UploadAsync("visa/january.csv", "rows");
        await using (await StartAsync<StreamBlobProbe>())
        {
            await Poll.UntilAsync(() => !_sink.Seen.IsEmpty, "the function runs");
            await UploadAsync("visa/february.csv", "more rows");
            await Poll.UntilAsync(() => _sink.Seen.Count == 2, "the function runs for the second blob");
        }
        Assert.Equal(["visa january rows", "visa february more rows"], _sink.Seen);
        Assert.Equal($"{_storage.Name}/visa/february.csv", _sink.Data!["BlobTrigger"]);
    }

    [Fact]
    public async Task Version_ThatWasProcessed_StaysSoAcrossRestartsAndANewOneRuns()
    {
        await UploadAsync("visa/january.csv", "first");
        await using (await StartAsync<StreamBlobProbe>())
            await Poll.UntilAsync(() => !_sink.Seen.IsEmpty, "the function runs");
        await UploadAsync("visa/marker.csv", "marker");
        await using (await StartAsync<StreamBlobProbe>())
        {
            await Poll.UntilAsync(() => _sink.Seen.Count >= 2, "the marker runs");
            await UploadAsync("visa/january.csv", "second");
            await Poll.UntilAsync(() => _sink.Seen.Count >= 3, "the new version runs");
        }
        Assert.Equal(["visa january first", "visa marker marker", "visa january second"], _sink.Seen);
    }

    [Fact]
    public async Task Blob_ThatKeepsFailing_IsReportedToThePoisonQueueAndLeft()
    {
        _sink.Fail = true;
        await UploadAsync("visa/bad.csv", "rows");
        await using var host = await StartAsync<StreamBlobProbe>();
        var poison = new QueueClient(_storage.Connection, "webjobs-blobtrigger-poison");
        await Poll.UntilAsync(async () => await ReportedAsync(poison), "the blob is reported");
        Assert.Equal(2, _sink.Seen.Count);
        Assert.True(await _storage.Container.GetBlobClient("visa/bad.csv").ExistsAsync());
    }

    [Fact]
    public async Task Parameters_BindToClientAndText()
    {
        await UploadAsync("visa/january.csv", "rows");
        await using (await StartAsync<ClientBlobProbe>())
            await Poll.UntilAsync(() => !_sink.Seen.IsEmpty, "the function runs");
        await using (await StartAsync<TextBlobProbe>())
            await Poll.UntilAsync(() => _sink.Seen.Count == 2, "the function runs");
        Assert.Equal(["visa/january.csv", "rows"], _sink.Seen);
    }

    private async Task<bool> ReportedAsync(QueueClient poison)
    {
        if (!await poison.ExistsAsync())
            return false;
        var messages = await poison.PeekMessagesAsync(32);
        return messages.Value.Any(message => Encoding.UTF8.GetString(Convert.FromBase64String(message.Body.ToString()))
            .Contains($"\"ContainerName\":\"{_storage.Name}\"", StringComparison.Ordinal));
    }
}

public sealed class StreamBlobProbe(Sink sink)
{
    [Function("StreamBlob")]
    public async Task Run([BlobTrigger("%Inbox%")] Stream content, string partner, string name, FunctionContext context, CancellationToken cancellation)
    {
        using var reader = new StreamReader(content);
        await sink.TakeAsync($"{partner} {name} {await reader.ReadToEndAsync(cancellation)}", context, cancellation);
    }
}

public sealed class ClientBlobProbe(Sink sink)
{
    [Function("ClientBlob")]
    public Task Run([BlobTrigger("%Inbox%")] BlobClient blob, FunctionContext context, CancellationToken cancellation) => sink.TakeAsync(blob.Name, context, cancellation);
}

public sealed class TextBlobProbe(Sink sink)
{
    [Function("TextBlob")]
    public Task Run([BlobTrigger("%Inbox%")] string text, FunctionContext context, CancellationToken cancellation) => sink.TakeAsync(text, context, cancellation);
}
