using System.IO.Pipelines;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;

namespace Payments.Domain.Payouts;

/// <summary>Stores bank files. A file appears whole or not at all. Writing a file again replaces it.</summary>
public interface IPayoutFileStore
{
    Task WriteAsync(string name, string contentType, Func<Stream, CancellationToken, Task> write, CancellationToken ct);

    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    Task<Stream> OpenAsync(string name, CancellationToken ct);
}

/// <summary>The blob container <c>payout-files</c>.</summary>
public sealed class BlobPayoutFileStore(BlobServiceClient service) : IPayoutFileStore
{
    public const string Container = "payout-files";

    private readonly BlobContainerClient _container = service.GetBlobContainerClient(Container);

    public async Task WriteAsync(string name, string contentType, Func<Stream, CancellationToken, Task> write, CancellationToken ct)
    {
        await _container.CreateIfNotExistsAsync(cancellationToken: ct);

        // The upload reads what the writer writes. If the writer fails, the upload fails before it commits its blocks, so no blob appears.
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 1 << 20, resumeWriterThreshold: 1 << 19));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var writing = ProduceAsync();
        try
        {
            var options = new BlobUploadOptions
            {
                HttpHeaders = new BlobHttpHeaders { ContentType = contentType },
                TransferOptions = new Azure.Storage.StorageTransferOptions { InitialTransferSize = 4 << 20, MaximumTransferSize = 4 << 20, MaximumConcurrency = 1 },
            };
            await _container.GetBlobClient(name).UploadAsync(pipe.Reader.AsStream(), options, ct);
        }
        finally
        {
            await pipe.Reader.CompleteAsync();
            await stop.CancelAsync();
            await writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        async Task ProduceAsync()
        {
            Exception? failure = null;
            try
            {
                await using var stream = pipe.Writer.AsStream(leaveOpen: true);
                await write(stream, stop.Token);
            }
            catch (Exception e)
            {
                failure = e;
            }

            await pipe.Writer.CompleteAsync(failure);
        }
    }

    public async Task<Stream> OpenAsync(string name, CancellationToken ct)
    {
        var blob = _container.GetBlobClient(name);
        return await blob.ExistsAsync(ct) ? await blob.OpenReadAsync(cancellationToken: ct) : throw new FileNotFoundException($"There is no payout file {name}.", name);
    }
}

/// <summary>A folder, such as the one that a bank's transfer gateway watches.</summary>
public sealed class FolderPayoutFileStore(string folder) : IPayoutFileStore
{
    public async Task WriteAsync(string name, string contentType, Func<Stream, CancellationToken, Task> write, CancellationToken ct)
    {
        var path = Path.Combine(folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);

        // Each writer uses a temporary name of its own, because two instances may write the same file. Both write the same bytes.
        var partial = $"{path}.{Path.GetRandomFileName()}.partial";
        try
        {
            await using (var file = new FileStream(partial, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16, useAsync: true))
            {
                await write(file, ct);
                file.Flush(flushToDisk: true);
            }

            File.Move(partial, path, overwrite: true);
        }
        catch
        {
            File.Delete(partial);
            throw;
        }
    }

    public Task<Stream> OpenAsync(string name, CancellationToken ct) => Task.FromResult<Stream>(File.OpenRead(Path.Combine(folder, name)));
}
