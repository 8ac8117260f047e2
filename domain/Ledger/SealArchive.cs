using System.Text.Json;
using System.Text.Json.Serialization;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;

namespace Payments.Domain.Ledger;

/// <summary>
/// The archived seals and the seals of the ledger disagree. One of them was altered, or the ledger was restored to an earlier time.
/// </summary>
public sealed class SealArchiveException(string message) : Exception(message);

/// <summary>Settings under <c>Ledger:SealArchive</c>.</summary>
public sealed class SealArchiveOptions
{
    /// <summary>
    /// The folder of the blobs. Set a new folder after the database was restored to an earlier time: it begins a new record.
    /// </summary>
    public string Folder { get; set; } = "";
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(Seal))]
internal sealed partial class SealJson : JsonSerializerContext;

/// <summary>
/// Archives the ledger's seals where the database's owner cannot change them. Each month has one append blob, and each seal is one line of
/// JSON. Blobs of the container can grow but never change. Each run continues behind the last line, so interrupted or simultaneous runs do
/// no harm.
/// </summary>
public sealed class SealArchive(LedgerSealing sealing, BlobServiceClient blobs, SealArchiveOptions options, TimeProvider time)
{
    public const string SealContainer = "ledger-seals";

    // A block of an append blob holds at most 4 MiB. A line has about 180 bytes.
    private const int SealsPerBlock = 5_000;
    private const int LongestLine = 1024;

    private readonly BlobContainerClient _container = blobs.GetBlobContainerClient(SealContainer);

    /// <summary>Adds the seals that were made since the last run. Returns how many.</summary>
    /// <exception cref="SealArchiveException">The ledger does not have the last archived seal.</exception>
    public async Task<int> KeepAsync(CancellationToken ct)
    {
        await _container.CreateIfNotExistsAsync(cancellationToken: ct);
        var last = await LastAsync(ct);
        if (last is not null)
        {
            var ours = await sealing.ListAsync(last.Number - 1, 1, ct) is [var found] && found.Number == last.Number ? found.Hash : null;
            if (ours != last.Hash)
                throw new SealArchiveException($"The seal {last.Number} that is kept has the hash {last.Hash}; the ledger has {ours ?? "no such seal"}.");
        }

        var kept = 0;
        var after = last?.Number ?? 0;
        while (await sealing.ListAsync(after, SealsPerBlock, ct) is { Count: > 0 } seals)
        {
            if (!await AppendAsync(seals, ct))
                return kept;
            kept += seals.Count;
            after = seals[^1].Number;
        }

        return kept;
    }

    /// <summary>The last archived seal; null if there is none.</summary>
    public async Task<Seal?> LastAsync(CancellationToken ct)
    {
        BlobItem? newest = null;
        try
        {
            // Names sort by month.
            await foreach (var blob in _container.GetBlobsAsync(BlobTraits.None, BlobStates.None, Name(""), ct))
            {
                if (blob.Properties.ContentLength > 0)
                    newest = blob;
            }
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.ContainerNotFound)
        {
            return null;
        }

        if (newest is null)
            return null;
        var length = newest.Properties.ContentLength!.Value;
        var tail = (await _container.GetBlobClient(newest.Name).DownloadContentAsync(
            new BlobDownloadOptions { Range = new HttpRange(Math.Max(0, length - LongestLine), Math.Min(length, LongestLine)) }, ct)).Value.Content.ToString();
        var line = tail.TrimEnd('\n').Split('\n')[^1];
        return JsonSerializer.Deserialize(line, SealJson.Default.Seal) ?? throw new SealArchiveException($"{newest.Name} does not end with a seal.");
    }

    // Returns false if another run has added seals at the same time. The next run adds the rest.
    private async Task<bool> AppendAsync(IReadOnlyList<Seal> seals, CancellationToken ct)
    {
        var blob = _container.GetAppendBlobClient(Name($"{time.GetUtcNow():yyyy-MM}.jsonl"));
        try
        {
            await blob.CreateIfNotExistsAsync(cancellationToken: ct);
            var position = (await blob.GetPropertiesAsync(cancellationToken: ct)).Value.ContentLength;
            if (await LastAsync(ct) is { } last && last.Number != seals[0].Number - 1)
                return false;
            using var block = new MemoryStream();
            foreach (var seal in seals)
            {
                JsonSerializer.Serialize(block, seal, SealJson.Default.Seal);
                block.Write("\n"u8);
            }

            block.Position = 0;
            await blob.AppendBlockAsync(block, new AppendBlobAppendBlockOptions { Conditions = new AppendBlobRequestConditions { IfAppendPositionEqual = position } }, ct);
            return true;
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.AppendPositionConditionNotMet)
        {
            return false;
        }
    }

    private string Name(string file) => options.Folder.Length == 0 ? $"seals/{file}" : $"seals/{options.Folder.Trim('/')}/{file}";
}
