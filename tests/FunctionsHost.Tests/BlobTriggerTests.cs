using System.Net;
using System.Net.Http.Json;
using System.Text;
using Azure.Storage.Queues;
using FunctionsHost.Blobs;

namespace FunctionsHost.Tests;

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

public sealed class BlobTriggerTests(StorageServer server) : StorageTests(server)
{
    private Task<SampleHost> StartAsync(string function, params (string Name, string Value)[] more) =>
        SampleHost.StartAsync([function], Storage.With(more));

    [Fact]
    public async Task Blob_ThatMatches_StartsTheFunctionWithItsNamesOnce()
    {
        await Storage.UploadAsync("visa/january.txt", "no match");
        await Storage.UploadAsync("visa/january.csv", "rows");
        await using var host = await StartAsync("Blob");
        await host.RunsAsync(1);
        await Storage.UploadAsync("visa/february.csv", "more rows");
        await host.RunsAsync(2, "the function runs for the second blob");
        await host.StopAsync();
        Assert.Equal(["visa january rows", "visa february more rows"], host.Texts());
        Assert.Equal($"{Storage.Name}/visa/february.csv", host.Runs()[1].Data!["BlobTrigger"]);
    }

    [Fact]
    public async Task Connection_OfTheTrigger_NamesTheAccount()
    {
        await Storage.UploadAsync("visa/january.csv", "rows");
        await using var host = await StartAsync("ClientBlob", ("OtherStorage", Storage.Connection));
        await host.RunsAsync(1);
        Assert.Equal(["visa/january.csv"], host.Texts());
    }

    [Fact]
    public async Task Version_ThatWasProcessed_StaysSoAcrossRestartsAndANewOneRuns()
    {
        await Storage.UploadAsync("visa/january.csv", "first");
        await using (var host = await StartAsync("Blob"))
        {
            await host.RunsAsync(1);
            Assert.Equal(0, await host.StopAsync());
        }
        await Storage.UploadAsync("visa/marker.csv", "marker");
        await using var second = await StartAsync("Blob");
        await second.RunsAsync(1, "the marker runs");
        await Storage.UploadAsync("visa/january.csv", "second");
        await second.RunsAsync(2, "the new version runs");
        Assert.Equal(["visa marker marker", "visa january second"], second.Texts());
    }

    [Fact]
    public async Task Blob_ThatKeepsFailing_IsReportedToThePoisonQueueAndLeft()
    {
        await Storage.UploadAsync("visa/bad.csv", "rows");
        await using var host = await StartAsync("Blob", ("Fail", "true"));
        await host.UntilAsync(IsReportedAsync, "the blob is reported");
        Assert.Equal(2, host.Runs().Count);
        Assert.True(await Storage.Container.GetBlobClient("visa/bad.csv").ExistsAsync());
    }

    [Fact]
    public async Task EventGrid_BlobOfItsOwnAccord_IsNotPolledAndEachEventRunsIt()
    {
        await Storage.UploadAsync("visa/january.csv", "rows");
        await Storage.UploadAsync("visa/february.csv", "more rows");
        await using var host = await StartAsync("EventBlob");

        Assert.Equal(HttpStatusCode.Accepted, await PostAsync(host, "EventBlob", "Notification", EventOf("visa/february.csv")));
        await host.RunsAsync(1);

        // The same event again, as Event Grid delivers at least once.
        Assert.Equal(HttpStatusCode.Accepted, await PostAsync(host, "eventblob", "Notification", EventOf("visa/february.csv")));
        await host.RunsAsync(2, "the event runs again");
        Assert.Equal(HttpStatusCode.Accepted, await PostAsync(host, "eventblob", "Notification", EventOf("visa/january.csv")));
        await host.RunsAsync(3);
        Assert.Equal(["visa february more rows", "visa february more rows", "visa january rows"], host.Texts());
        Assert.Equal($"{Storage.Name}/visa/january.csv", host.Runs()[2].Data!["BlobTrigger"]);
    }

    [Fact]
    public async Task EventGrid_EventThatKeepsFailing_IsReportedToThePoisonQueue()
    {
        await Storage.UploadAsync("visa/bad.csv", "rows");
        await using var host = await StartAsync("EventBlob", ("Fail", "true"));
        await PostAsync(host, "EventBlob", "Notification", EventOf("visa/bad.csv"));
        await host.UntilAsync(IsReportedAsync, "the blob is reported");
        Assert.Equal(2, host.Runs().Count);
    }

    [Fact]
    public async Task EventGrid_EventThatWasAccepted_OutlivesTheHost()
    {
        await Storage.UploadAsync("visa/january.csv", "rows");
        await using (
            var host = await SampleHost.StartAsync(["EventBlob"], Storage.With(("FunctionsHost:QueueLease", "00:00:02")), hold: true))
        {
            await PostAsync(host, "EventBlob", "Notification", EventOf("visa/january.csv"));
            await host.RunsAsync(1);
            await host.KillAsync();
        }
        await using var second = await StartAsync("EventBlob");
        await second.RunsAsync(1, "the event runs again");
        Assert.Equal(["visa january rows"], second.Texts());
    }

    [Fact]
    public async Task EventGrid_BlobThatDoesNotMatchOrIsGone_RunsNothing()
    {
        await Storage.UploadAsync("visa/january.csv", "rows");
        await using var host = await StartAsync("EventBlob");
        await PostAsync(
            host, "EventBlob", "Notification", EventOf("visa/january.txt"), EventOf("visa/gone.csv"),
            new { eventType = "Microsoft.Storage.BlobCreated", data = new { url = "http://127.0.0.1/devstoreaccount1/other/visa/x.csv", blobType = "BlockBlob" } },
            EventOf("visa/january.csv"));
        await host.RunsAsync(1);
        await host.UntilAsync(
            async () => await TestStorage.CountAsync(new QueueClient(Storage.Connection, "azure-webjobs-blobtrigger-" + Storage.Name)) == 0,
            "all events are handled");
        Assert.Equal(["visa january rows"], host.Texts());
    }

    [Fact]
    public async Task EventGrid_Handshake_IsAnsweredWithItsCode()
    {
        await using var host = await StartAsync("EventBlob");
        using var request = RequestFor("EventBlob", "SubscriptionValidation", new { data = new { validationCode = "4A3" } });
        using var response = await host.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("""{"validationResponse":"4A3"}""", await response.Content.ReadAsStringAsync());
        Assert.Equal("text/plain", response.Content.Headers.ContentType?.MediaType);
    }

    [Fact]
    public async Task EventGrid_RequestThatIsNoEvent_IsAnsweredAsOnThePlatform()
    {
        await Storage.UploadAsync("visa/january.csv", "rows");
        await using var host = await StartAsync("EventBlob");
        Assert.Equal(HttpStatusCode.Accepted, await PostAsync(host, "Blob", "Notification"));
        Assert.Equal(HttpStatusCode.Accepted, await PostAsync(host, "Nobody", "Notification"));
        Assert.Equal(HttpStatusCode.Accepted, await PostAsync(host, "EventBlob", "Unsubscribe"));
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync(host, "EventBlob", "Other"));
        var incomplete = new { eventType = "Microsoft.Storage.BlobCreated", data = new { url = Storage.Container.GetBlobClient("visa/january.csv").Uri } };
        Assert.Equal(HttpStatusCode.InternalServerError, await PostAsync(host, "EventBlob", "Notification", incomplete));

        var address = new Uri("/runtime/webhooks/blobs?functionName=Host.Functions.EventBlob&code=key", UriKind.Relative);
        using var get = await host.Client.GetAsync(address);
        Assert.Equal(HttpStatusCode.BadRequest, get.StatusCode);
        using var text = new StringContent("no JSON") { Headers = { { "aeg-event-type", "Notification" } } };
        using var broken = await host.Client.PostAsync(address, text);
        Assert.Equal(HttpStatusCode.InternalServerError, broken.StatusCode);
        using var noKey = new StringContent("[]");
        using var refused = await host.Client.PostAsync(new Uri("/runtime/webhooks/blobs?functionName=Host.Functions.EventBlob", UriKind.Relative), noKey);
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        Assert.Empty(host.Runs());
    }

    private static async Task<HttpStatusCode> PostAsync(SampleHost host, string function, string kind, params object[] events)
    {
        using var request = RequestFor(function, kind, events);
        using var response = await host.Client.SendAsync(request);
        return response.StatusCode;
    }

    private static HttpRequestMessage RequestFor(string function, string kind, params object[] events) => new(
        HttpMethod.Post, new Uri($"/runtime/webhooks/blobs?functionName=Host.Functions.{function}&code=key", UriKind.Relative))
    {
        Headers = { { "aeg-event-type", kind } },
        Content = JsonContent.Create(events),
    };

    private object EventOf(string blob) => new
    {
        eventType = "Microsoft.Storage.BlobCreated",
        subject = $"/blobServices/default/containers/{Storage.Name}/blobs/{blob}",
        data = new { api = "PutBlob", url = Storage.Container.GetBlobClient(blob).Uri, eTag = "0x8D4BCC2E4835CD0", blobType = "BlockBlob" },
    };

    private async Task<bool> IsReportedAsync()
    {
        var poison = new QueueClient(Storage.Connection, "webjobs-blobtrigger-poison");
        if (!await poison.ExistsAsync())
            return false;
        var messages = await poison.PeekMessagesAsync(32);
        return messages.Value.Any(message => Encoding.UTF8.GetString(Convert.FromBase64String(message.Body.ToString()))
            .Contains($"\"ContainerName\":\"{Storage.Name}\"", StringComparison.Ordinal));
    }
}
