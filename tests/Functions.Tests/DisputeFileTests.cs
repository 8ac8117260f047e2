using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;
using Azure.Storage.Blobs;
using Payments.Functions.Tests.Transcripts;

namespace Payments.Functions.Tests;

/// <summary>Files of disputes as a partner drops them into blob storage, seen again through the API and the books.</summary>
public sealed class DisputeFileTests(RunningApp app)
{
    private const string Header =
        "dispute_id,version,payment_id,payment_reference,stage,status,reason_code,currency,amount,evidence_due_by,withdrawn_amount,reinstated_amount,updated_at\n";

    private readonly BlobServiceClient _blobs = new(app.Storage);

    [Fact]
    public async Task Drop_GoodAndBadLines_ReachesTheApiTheBooksTheArchiveAndTheRejects()
    {
        var merchant = await app.CreateMerchantAsync();
        var charge = await merchant.ChargeAsync(10_000);
        var (id, name) = ("dsp_file_" + RunningApp.NewKey(), $"{RunningApp.NewKey()}/disputes.csv");
        var text = Header + Line(id, charge, 1, "needs_response", 1) + "4111111111111111;cut in\n" + Line(id, charge, 2, "lost", 9);
        await DropAsync(name, Encoding.UTF8.GetBytes(text));

        // It leaves the inbox last, when all else is done.
        var file = await FileAsync(name);
        await RunningApp.EventuallyAsync(
            async () => (await _blobs.GetBlobContainerClient("disputes-inbox").GetBlobClient($"sandbox/{name}").ExistsAsync()).Value, exists => !exists, "the file left the inbox");
        Assert.Equal(("completed", 3, 2, 1), (Text(file, "status"), Number(file, "lines"), Number(file, "applied"), Number(file, "rejected")));
        var reject = Assert.Single((await app.GetAsync($"/v1/dispute_files/{Text(file, "id")}/rejects", app.PlatformKey)).Json["data"]!.AsArray());
        Assert.Equal((3, "field_count", "****;cut in"), (Number(reject!, "line"), Text(reject!, "reason"), Text(reject!, "content")));

        var dispute = await DisputeAsync(merchant, charge);
        Assert.Equal(("lost", 10_000, 1_500), (dispute.Text("status"), dispute.Number("withdrawn"), dispute.Number("fee")));
        Assert.Equal(0, (await merchant.BalanceAsync()).Disputed);
        var settled = await app.GetAsync($"/v1/ledger/journals/{dispute.Text("id")}:3", app.PlatformKey);
        Assert.Equal(("dispute_settled", "processor/sandbox/clearing"), (settled.Text("kind"), settled.Json["transfers"]![0]!["credit"]!.GetValue<string>()));

        var archived = $"{Text(file, "id")}/{name}";
        Assert.Equal(text, await DownloadAsync("disputes-archive", archived));
        Assert.Contains("\"line\":3,\"reason\":\"field_count\"", await DownloadAsync("disputes-rejected", $"{archived}.rejects.jsonl"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Drop_SameLinesAgainAndCompressed_ChangesNothing()
    {
        var merchant = await app.CreateMerchantAsync();
        var charge = await merchant.ChargeAsync(10_000);
        var (id, run) = ("dsp_file_" + RunningApp.NewKey(), RunningApp.NewKey());
        var bytes = Encoding.UTF8.GetBytes(Header + Line(id, charge, 1, "needs_response", 1));
        await DropAsync($"{run}/first.csv", bytes);
        Assert.Equal(1, Number(await FileAsync($"{run}/first.csv"), "applied"));

        using var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest, leaveOpen: true))
            gzip.Write(bytes);
        await DropAsync($"{run}/again.csv.gz", compressed.ToArray());
        Assert.Equal((0, 1), await FileAsync($"{run}/again.csv.gz") is var again ? (Number(again, "applied"), Number(again, "duplicate")) : default);

        await DropAsync($"{run}/same-bytes.csv", bytes);
        await RunningApp.EventuallyAsync(
            () => FileAsync($"{run}/first.csv"), file => Number(file, "arrivals") >= 2, "the same bytes are counted as having come again");
        Assert.Equal(1, (await DisputeAsync(merchant, charge)).Number("version"));
    }

    [Fact]
    public async Task Drop_ProcessorsOwnFileAfterItsWebhooks_ChangesNothing()
    {
        var merchant = await app.CreateMerchantAsync();
        var charge = await merchant.ChargeAsync(10_000);
        await app.AcquirerAsync(HttpMethod.Post, "/control/disputes", new { payment_id = charge.Text("provider_reference"), reason_code = "13.1" });
        var dispute = await DisputeAsync(merchant, charge);
        var today = TimeProvider.System.GetUtcNow();
        var whole = await app.AcquirerTextAsync($"/v1/files/disputes?date={today:yyyy-MM-dd}");
        var lines = whole.Split('\n').Where(line => line.StartsWith(dispute.Text("provider_dispute_id"), StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(lines);
        var name = $"{RunningApp.NewKey()}/daily.csv";
        await DropAsync(name, Encoding.UTF8.GetBytes($"{whole.Split('\n')[0]}\n{string.Join('\n', lines)}\n"));

        Assert.Equal(0, Number(await FileAsync(name), "rejected"));
        var after = await merchant.GetAsync($"/v1/disputes/{dispute.Text("id")}");
        Assert.Equal(dispute.Body, after.Body);
        var sources = (await merchant.GetAsync($"/v1/disputes/{dispute.Text("id")}/updates")).Json["data"]!.AsArray().Select(update => Text(update!, "source"));
        Assert.Equal(["file", "webhook"], sources.Distinct().Order());
    }

    [Fact]
    public async Task Drop_HeaderOfAnotherDialect_RejectsTheFileAndAppliesNothing()
    {
        var name = $"{RunningApp.NewKey()}/other.csv";
        await DropAsync(name, Encoding.UTF8.GetBytes($"Vorgang;Stand\n{name};offen\n"));
        var file = await FileAsync(name);
        Assert.Equal(("rejected", 0, 1), (Text(file, "status"), Number(file, "applied"), Number(file, "rejected")));
        Assert.Equal(404, (await app.GetAsync($"/v1/dispute_files/sandbox/{new string('0', 64)}", app.PlatformKey)).Status);
    }

    private static string Line(string id, Answer charge, int version, string status, int day) =>
        $"{id},{version},{charge.Text("provider_reference")},,chargeback,{status},10.4,EUR,10000,2026-04-01T00:00:00Z,,,2026-03-{day:00}T09:00:00Z\n";

    private async Task DropAsync(string name, byte[] content)
    {
        var inbox = _blobs.GetBlobContainerClient("disputes-inbox");
        await inbox.CreateIfNotExistsAsync();
        var blob = inbox.GetBlobClient($"sandbox/{name}");
        await blob.UploadAsync(BinaryData.FromBytes(content));

        // As Event Grid tells the Functions host of a new blob; Azurite sends no events. It delivers at least once, and the host runs the function each time.
        var created = new
        {
            id = RunningApp.NewKey(),
            eventType = "Microsoft.Storage.BlobCreated",
            subject = $"/blobServices/default/containers/{inbox.Name}/blobs/{blob.Name}",
            eventTime = TimeProvider.System.GetUtcNow(),
            dataVersion = "",
            metadataVersion = "1",
            topic = "/local",
            data = new { api = "PutBlob", url = blob.Uri, contentType = "text/csv", contentLength = content.Length, blobType = "BlockBlob" },
        };
        object[] events = [created, created];
        using var http = Transcript.Client();
        using var body = new StringContent(System.Text.Json.JsonSerializer.Serialize(events), Encoding.UTF8, "application/json");
        body.Headers.Add("aeg-event-type", "Notification");
        using var answer = await http.PostAsync(new Uri(app.Address, $"/runtime/webhooks/blobs?functionName=Host.Functions.ReceiveDisputeFile&code={RunningApp.BlobsKey}"), body);
        Assert.Equal(System.Net.HttpStatusCode.Accepted, answer.StatusCode);
    }

    /// <summary>The file's summary once it is done; found among the latest, whatever other tests drop.</summary>
    private async Task<JsonNode> FileAsync(string name) => (await RunningApp.EventuallyAsync(
        async () =>
        {
            var after = "";
            while (true)
            {
                var page = await app.GetAsync($"/v1/dispute_files?partner=sandbox&limit=100{after}", app.PlatformKey);
                var files = page.Json["data"]!.AsArray();
                if (files.FirstOrDefault(file => Text(file!, "name") == name) is { } found)
                    return found;
                if (!page.Json["has_more"]!.GetValue<bool>())
                    return null;
                after = $"&starting_after={Text(files[^1]!, "id")}";
            }
        },
        file => file is not null && Text(file, "status") != "processing",
        $"the file {name} is applied"))!;

    private static async Task<Answer> DisputeAsync(TestMerchant merchant, Answer charge)
    {
        var list = await RunningApp.EventuallyAsync(
            () => merchant.GetAsync($"/v1/disputes?charge={charge.Text("id")}"), answer => answer.Json["data"]!.AsArray().Count == 1, "the charge has its dispute");
        return await merchant.GetAsync($"/v1/disputes/{Text(list.Json["data"]![0]!, "id")}");
    }

    private async Task<string> DownloadAsync(string container, string name) =>
        (await _blobs.GetBlobContainerClient(container).GetBlobClient(name).DownloadContentAsync()).Value.Content.ToString();

    private static string Text(JsonNode node, string property) => node[property]!.GetValue<string>();

    private static int Number(JsonNode node, string property) => node[property]!.GetValue<int>();
}
