using System.Text.Json;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsHost.Hosting;
using FunctionsHost.Protocol;

namespace FunctionsHost.Blobs;

/// <summary>Runs a function for versions of blobs, and keeps a receipt of each version that is done with.</summary>
internal sealed class BlobFunction(
    Function function,
    BlobPath path,
    string connection,
    BlobContainerClient container,
    BlobContainerClient hosts,
    string hostId,
    EventRunner runner)
{
    public Function Function => function;

    public BlobPath Path => path;

    public BlobContainerClient Container => container;

    /// <summary>Whether a version has been handled, by this process or another.</summary>
    public async Task<bool> HasReceiptAsync(string blob, ETag version, CancellationToken cancellation) =>
        await ReceiptOf(blob, version).ExistsAsync(cancellation);

    public async Task WriteReceiptAsync(string blob, ETag version, CancellationToken cancellation)
    {
        var receipt = ReceiptOf(blob, version);
        try
        {
            await receipt.UploadAsync(BinaryData.FromString(""), overwrite: true, cancellation);
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.ContainerNotFound)
        {
            // The storage is new: no host has written to it yet.
            await hosts.CreateIfNotExistsAsync(cancellationToken: cancellation);
            await receipt.UploadAsync(BinaryData.FromString(""), overwrite: true, cancellation);
        }
    }

    /// <summary>Runs the function. True where it ended well.</summary>
    /// <param name="values">The values of the path's names.</param>
    public async Task<bool> RunAsync(
        string blob, IReadOnlyDictionary<string, string> values, IDictionary<string, string> metadata, CancellationToken abandoning)
    {
        var client = container.GetBlobClient(blob);
        var data = new TriggerData { Input = await InputAsync(client, abandoning) };
        foreach (var (name, value) in values)
            data.Add(name, value);
        data.Add("BlobTrigger", $"{container.Name}/{blob}");
        data.AddJson("Uri", client.Uri);
        data.AddJson("Metadata", metadata);
        return await runner.RunAsync(function, data, abandoning);
    }

    private BlobClient ReceiptOf(string blob, ETag version) =>
        hosts.GetBlobClient($"blobreceipts/{hostId}/{function.Name}/{version.ToString("H").Trim('"')}/{container.Name}/{blob}");

    private async Task<TypedData> InputAsync(BlobClient client, CancellationToken cancellation) => function.IsDeferred
        ? new TypedData
        {
            ModelBindingData = TriggerData.Model("AzureStorageBlobs", "application/json", JsonSerializer.SerializeToUtf8Bytes(new
            {
                Connection = connection,
                ContainerName = container.Name,
                BlobName = client.Name,
            })),
        }
        : TriggerData.TextOf(function, (await client.DownloadContentAsync(cancellation)).Value.Content);
}
