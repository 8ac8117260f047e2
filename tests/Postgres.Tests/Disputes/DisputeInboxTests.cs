using System.IO.Compression;
using System.Text;
using Azure.Storage.Blobs;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Payments.Domain.Disputes;
using Payments.Domain.Disputes.Files;
using Payments.Domain.Messaging;

namespace Payments.Postgres.Tests.Disputes;

/// <summary>Files in real blob storage.</summary>
public sealed class DisputeInboxTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private const string Header = "case,payment,stage,status,amount,currency,at\n";

    [Fact]
    public async Task Handle_FileWithABadLine_AppliesRejectsArchivesAndLeaves()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("blob1");
        var (inbox, blobs, partner) = Inbox(world);
        var text = Header + Line("blob1", "lost") + "half a line\n";
        var blob = await DropAsync(blobs, $"{partner}/2026/march.csv", text);

        var file = await inbox.HandleAsync(blob.Name, CancellationToken.None);
        Assert.Equal((1, 1), (file!.Applied, file.Rejected));
        Assert.Equal(DisputeStatus.Lost, (await world.SingleAsync(charge)).State.Status);
        Assert.False(await blob.ExistsAsync());
        var kept = $"{partner}/{Convert.ToHexStringLower(file.Hash)}/2026/march.csv";
        Assert.Equal(text, (await Blob(blobs, DisputeInbox.ArchiveContainer, kept).DownloadContentAsync()).Value.Content.ToString());
        Assert.Equal(
            """{"line":3,"reason":"field_count","detail":"1 instead of 7","content":"half a line"}""" + "\n",
            (await Blob(blobs, DisputeInbox.RejectedContainer, $"{kept}.rejects.jsonl").DownloadContentAsync()).Value.Content.ToString());
        Assert.Null(await inbox.HandleAsync(blob.Name, CancellationToken.None));
    }

    [Fact]
    public async Task Handle_SameFileDroppedAgain_IsTakenOutAndAppliedOnce()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("blob2");
        var (inbox, blobs, partner) = Inbox(world);
        await inbox.HandleAsync((await DropAsync(blobs, $"{partner}/a.csv", Header + Line("blob2", "needs_response"))).Name, CancellationToken.None);
        var again = await DropAsync(blobs, $"{partner}/b.csv", Header + Line("blob2", "needs_response"));
        Assert.Equal(2, (await inbox.HandleAsync(again.Name, CancellationToken.None))!.Arrivals);
        Assert.False(await again.ExistsAsync());
        Assert.Equal(1, (await world.SingleAsync(charge)).Version);
    }

    [Fact]
    public async Task Scan_FilesWithoutAnEvent_AreFoundAndOneOfAnUnknownPartnerWaits()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("blob3");
        var (inbox, blobs, partner) = Inbox(world);
        await DropAsync(blobs, $"{partner}/scan.csv", Header + Line("blob3", "needs_response"));
        var stranger = await DropAsync(blobs, $"stranger-{partner}/x.csv", Header);
        Assert.Equal(1, await inbox.ScanAsync(CancellationToken.None));
        Assert.Equal(DisputeStatus.NeedsResponse, (await world.SingleAsync(charge)).State.Status);
        Assert.True(await stranger.ExistsAsync());
        await stranger.DeleteAsync();
    }

    [Fact]
    public async Task Handle_FileReplacedWhileItIsRead_AppliesTheWholeOneToo()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("blob4");
        var (inbox, blobs, partner) = Inbox(world);
        var whole = Header + Line("blob4", "needs_response") + Line("blob4", "lost");

        // The partner writes the file in two goes under one name; we see the first.
        var blob = await DropAsync(blobs, $"{partner}/growing.csv", whole[..^11]);
        var half = await inbox.HandleAsync(blob.Name, CancellationToken.None);
        Assert.Equal((1, 1), (half!.Applied, half.Rejected));
        await DropAsync(blobs, $"{partner}/growing.csv", whole);
        var file = await inbox.HandleAsync(blob.Name, CancellationToken.None);
        Assert.Equal((1, 1, 0), (file!.Applied, file.Duplicate, file.Rejected));
        Assert.Equal((DisputeStatus.Lost, 2), await world.SingleAsync(charge) is var dispute ? (dispute.State.Status, dispute.Version) : default);
        Assert.False(await blob.ExistsAsync());
    }

    [Fact]
    public async Task Handle_CrashedBeforeTheArchive_IsFinishedByTheScan()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("blob5");
        var (inbox, blobs, partner) = Inbox(world);
        var text = Header + Line("blob5", "lost") + "bad\n";
        var blob = await DropAsync(blobs, $"{partner}/crashed.csv", text);

        // All lines were applied and nothing else was done: the file is still in the inbox.
        var files = new DisputeFileIngestion(database.App, world.Ingestion, new OutboxSignal(), world.Clock, NullLogger<DisputeFileIngestion>.Instance);
        await files.ApplyAsync(partner, Dialect(), "crashed.csv", async ct => await blob.OpenReadAsync(cancellationToken: ct), CancellationToken.None);
        Assert.True(await blob.ExistsAsync());

        var file = await inbox.HandleAsync(blob.Name, CancellationToken.None);
        var kept = $"{partner}/{Convert.ToHexStringLower(file!.Hash)}/crashed.csv";
        Assert.Equal(text, (await Blob(blobs, DisputeInbox.ArchiveContainer, kept).DownloadContentAsync()).Value.Content.ToString());
        Assert.True(await Blob(blobs, DisputeInbox.RejectedContainer, $"{kept}.rejects.jsonl").ExistsAsync());
        Assert.False(await blob.ExistsAsync());
        Assert.Equal(1, (await world.SingleAsync(charge)).Version);
    }

    [Fact]
    public async Task Handle_CompressedInAnotherEncoding_IsArchivedAsItCame()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("blob6");
        var (inbox, blobs, partner) = Inbox(world);
        using var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(Encoding.UTF8.GetBytes(Header + Line("blob6", "lost")));
            gzip.Write(Encoding.Latin1.GetBytes(Line("blöb6", "lost")));
        }

        var container = blobs.GetBlobContainerClient(DisputeInbox.InboxContainer);
        await container.CreateIfNotExistsAsync();
        var blob = container.GetBlobClient($"{partner}/march.csv.gz");
        await blob.UploadAsync(BinaryData.FromBytes(compressed.ToArray()), overwrite: true);
        var file = await inbox.HandleAsync(blob.Name, CancellationToken.None);
        Assert.Equal((1, 1), (file!.Applied, file.Rejected));
        Assert.Equal(DisputeStatus.Lost, (await world.SingleAsync(charge)).State.Status);
        var kept = $"{partner}/{Convert.ToHexStringLower(file.Hash)}/march.csv.gz";
        Assert.Equal(compressed.ToArray(), (await Blob(blobs, DisputeInbox.ArchiveContainer, kept).DownloadContentAsync()).Value.Content.ToArray());
        Assert.Contains("\"reason\":\"bad_encoding\"", (await Blob(blobs, DisputeInbox.RejectedContainer, $"{kept}.rejects.jsonl").DownloadContentAsync()).Value.Content.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Partners_BrokenEntry_IsNamedAtTheStart()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { ["Disputes:Partners:acme:Provider"] = "sandbox" }).Build();
        Assert.Contains("Disputes__Partners__acme", Assert.Throws<InvalidOperationException>(() => new DisputePartners(configuration)).Message, StringComparison.Ordinal);
    }

    private static DisputeFileDialect Dialect() => new()
    {
        Provider = "sandbox",
        Columns = new()
        {
            [DisputeField.DisputeId] = "case",
            [DisputeField.ChargeReference] = "payment",
            [DisputeField.Stage] = "stage",
            [DisputeField.Status] = "status",
            [DisputeField.Amount] = "amount",
            [DisputeField.Currency] = "currency",
            [DisputeField.OccurredAt] = "at",
        },
    };

    private static string Line(string reference, string status) => $"d_{reference},{reference},chargeback,{status},10000,EUR,2026-03-05\n";

    private static BlobClient Blob(BlobServiceClient blobs, string container, string name) => blobs.GetBlobContainerClient(container).GetBlobClient(name);

    private static async Task<BlobClient> DropAsync(BlobServiceClient blobs, string name, string text)
    {
        var container = blobs.GetBlobContainerClient(DisputeInbox.InboxContainer);
        await container.CreateIfNotExistsAsync();
        var blob = container.GetBlobClient(name);
        await blob.UploadAsync(BinaryData.FromBytes(Encoding.UTF8.GetBytes(text)), overwrite: true);
        return blob;
    }

    private (DisputeInbox Inbox, BlobServiceClient Blobs, string Partner) Inbox(DisputeWorld world)
    {
        // Storage outlives a run: each test is a partner of its own.
        var partner = $"p{world.Merchant.Value:N}";
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(new Dictionary<string, string?>
            {
                [$"Disputes:Partners:{partner}:Provider"] = "sandbox",
                [$"Disputes:Partners:{partner}:Columns:DisputeId"] = "case",
                [$"Disputes:Partners:{partner}:Columns:ChargeReference"] = "payment",
                [$"Disputes:Partners:{partner}:Columns:Stage"] = "stage",
                [$"Disputes:Partners:{partner}:Columns:Status"] = "status",
                [$"Disputes:Partners:{partner}:Columns:Amount"] = "amount",
                [$"Disputes:Partners:{partner}:Columns:Currency"] = "currency",
                [$"Disputes:Partners:{partner}:Columns:OccurredAt"] = "at",
            })
            .Build();
        var blobs = new BlobServiceClient(TestServer.Storage);
        var files = new DisputeFileIngestion(database.App, world.Ingestion, new OutboxSignal(), world.Clock, NullLogger<DisputeFileIngestion>.Instance);
        return (new DisputeInbox(blobs, files, new DisputePartners(configuration), NullLogger<DisputeInbox>.Instance), blobs, partner);
    }
}
