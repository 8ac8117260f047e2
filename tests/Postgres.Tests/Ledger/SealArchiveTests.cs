using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using Payments.Domain.Ledger;
using Payments.Postgres.Tests.Messaging;
using static Payments.Postgres.Tests.Ledger.LedgerFixture;

namespace Payments.Postgres.Tests.Ledger;

/// <summary>Seals kept in real blob storage.</summary>
public sealed class SealArchiveTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static int _journals;
    private readonly string _folder = Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(8));
    private readonly TestTime _time = new(Now);

    [Fact]
    public async Task Keep_AgainAndAgain_KeepsEachSealOnceInOrder()
    {
        var archive = Archive();
        await SealSomethingAsync();
        await archive.KeepAsync(CancellationToken.None);
        Assert.Equal(0, await archive.KeepAsync(CancellationToken.None));
        await SealSomethingAsync();
        _time.Advance(TimeSpan.FromDays(40));
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Archive().KeepAsync(CancellationToken.None)));

        var ledger = await new LedgerSealing(database.App).ListAsync(0, 10_000, CancellationToken.None);
        var kept = await LinesAsync();
        Assert.Equal(ledger.Select(seal => (seal.Number, seal.Hash)), kept);
        Assert.Equal(ledger[^1], await archive.LastAsync(CancellationToken.None));
        Assert.True((await database.Owner.VerifyAsync(await archive.LastAsync(CancellationToken.None))).IsWhole);
    }

    [Fact]
    public async Task Keep_LedgerLostWhatIsKept_SaysWhichSeal()
    {
        await SealSomethingAsync();
        await Archive().KeepAsync(CancellationToken.None);
        var head = (await Archive().LastAsync(CancellationToken.None))!;
        await AppendAsync($$"""{"number":{{head.Number + 7}},"to_journal":1,"sealed_at":"2026-05-04T12:00:00+00:00","hash":"{{new string('a', 64)}}"}""" + "\n");

        var lost = await Assert.ThrowsAsync<SealArchiveException>(() => Archive().KeepAsync(CancellationToken.None));

        Assert.Contains($"seal {head.Number + 7} ", lost.Message, StringComparison.Ordinal);
        Assert.Contains("no such seal", lost.Message, StringComparison.Ordinal);
        Assert.False((await database.Owner.VerifyAsync(await Archive().LastAsync(CancellationToken.None))).IsWhole);
    }

    [Fact]
    public async Task Last_NothingKept_IsNone() => Assert.Null(await Archive().LastAsync(CancellationToken.None));

    private async Task SealSomethingAsync()
    {
        var last = Interlocked.Add(ref _journals, 3);
        await database.App.PostChargesAsync(last - 2, last);
        await database.App.SealAllAsync();
    }

    private SealArchive Archive() => new(new LedgerSealing(database.App), Service(), new SealArchiveOptions { Folder = _folder }, _time);

    private async Task<List<(long, string)>> LinesAsync()
    {
        var container = Service().GetBlobContainerClient(SealArchive.SealContainer);
        var lines = new List<(long, string)>();
        await foreach (var blob in container.GetBlobsAsync(BlobTraits.None, BlobStates.None, $"seals/{_folder}/", CancellationToken.None))
        {
            var text = (await container.GetBlobClient(blob.Name).DownloadContentAsync()).Value.Content.ToString();
            lines.AddRange(text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => System.Text.Json.Nodes.JsonNode.Parse(line)!)
                .Select(line => (line["number"]!.GetValue<long>(), line["hash"]!.GetValue<string>())));
        }

        return lines;
    }

    private async Task AppendAsync(string line)
    {
        var blob = Service().GetBlobContainerClient(SealArchive.SealContainer).GetAppendBlobClient($"seals/{_folder}/9999-12.jsonl");
        await blob.CreateAsync();
        await blob.AppendBlockAsync(new MemoryStream(System.Text.Encoding.UTF8.GetBytes(line)));
    }

    private static BlobServiceClient Service() => new(TestServer.Storage);
}
