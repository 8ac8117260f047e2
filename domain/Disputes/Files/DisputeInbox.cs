using System.Text.Json;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Payments.Domain.Disputes.Files;

/// <summary>
/// The partners that may upload dispute files, each with its dialect: <c>Disputes:Partners:{partner}</c> of the configuration.
/// </summary>
public sealed class DisputePartners
{
    private readonly Dictionary<string, DisputeFileDialect> _dialects = new(StringComparer.OrdinalIgnoreCase);

    /// <exception cref="InvalidOperationException">An entry is invalid. The message names it and its problems.</exception>
    public DisputePartners(IConfiguration configuration)
    {
        foreach (var section in configuration.GetSection("Disputes:Partners").GetChildren())
        {
            var dialect = section.Get<DisputeFileDialect>() ?? new DisputeFileDialect();
            if (dialect.Validate() is { Count: > 0 } problems)
                throw new InvalidOperationException($"Disputes__Partners__{section.Key} is invalid. {string.Join(' ', problems)}");
            _dialects[section.Key] = dialect;
        }
    }

    public DisputeFileDialect? Find(string partner) => _dialects.GetValueOrDefault(partner);
}

/// <summary>
/// Where partners upload files: <c>disputes-inbox/{partner}/{name}</c>. A file is applied, its rejected lines go to
/// <c>disputes-rejected</c>, and its original bytes go to <c>disputes-archive</c>. Only then does it leave the inbox. So a run may stop
/// after any line, and a file may be handled any number of times.
/// </summary>
public sealed class DisputeInbox(BlobServiceClient blobs, DisputeFileIngestion files, DisputePartners partners, ILogger<DisputeInbox> logger)
{
    public const string InboxContainer = "disputes-inbox";
    public const string RejectedContainer = "disputes-rejected";
    public const string ArchiveContainer = "disputes-archive";

    /// <summary>Handles one file of the inbox. A file of an unknown partner stays there until the partner is configured.</summary>
    /// <param name="name">The blob's name: the partner, a slash, and the rest.</param>
    /// <returns>The file's summary. Null if there was nothing to do, or another run is processing the file.</returns>
    public async Task<DisputeFile?> HandleAsync(string name, CancellationToken ct)
    {
        var slash = name.IndexOf('/', StringComparison.Ordinal);
        if (slash <= 0 || partners.Find(name[..slash]) is not { } dialect)
        {
            DisputeLog.PartnerUnknown(logger, name);
            return null;
        }

        var partner = name[..slash].ToLowerInvariant();
        var source = blobs.GetBlobContainerClient(InboxContainer).GetBlobClient(name);
        ETag version;
        try
        {
            version = (await source.GetPropertiesAsync(cancellationToken: ct)).Value.ETag;
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            // Another run was faster, or the partner deleted the file.
            return null;
        }

        // All reads are bound to this version. If the bytes change meanwhile, the run ends, and the new bytes are another file.
        Task<Stream> OpenAsync(CancellationToken stop) => source.OpenReadAsync(
            new BlobOpenReadOptions(allowModifications: false) { BufferSize = 1024 * 1024, Conditions = new BlobRequestConditions { IfMatch = version } }, stop);

        if (await files.ApplyAsync(partner, dialect, name[(slash + 1)..], OpenAsync, ct) is not { } file)
            return null;
        var kept = $"{partner}/{Convert.ToHexStringLower(file.Hash)}/{name[(slash + 1)..]}";
        if (file.Rejected > 0)
            await WriteRejectsAsync(file, $"{kept}.rejects.jsonl", ct);
        await ArchiveAsync(OpenAsync, kept, ct);
        try
        {
            await source.DeleteAsync(conditions: new BlobRequestConditions { IfMatch = version }, cancellationToken: ct);
        }
        catch (RequestFailedException e) when (e.Status is 404 or 412)
        {
            // The file is gone, or another file of the same name has replaced it. That one is handled later.
        }

        return file;
    }

    /// <summary>Handles every file in the inbox, because blob events may be late or lost.</summary>
    /// <returns>How many files were handled.</returns>
    public async Task<int> ScanAsync(CancellationToken ct)
    {
        var container = blobs.GetBlobContainerClient(InboxContainer);
        await container.CreateIfNotExistsAsync(cancellationToken: ct);
        var handled = 0;
        await foreach (var blob in container.GetBlobsAsync(cancellationToken: ct))
        {
            try
            {
                handled += await HandleAsync(blob.Name, ct) is null ? 0 : 1;
            }
            catch (Exception e) when (!ct.IsCancellationRequested)
            {
                // A file that fails must not keep the others waiting. The next scan tries it again.
                DisputeLog.FileFailed(logger, blob.Name, e);
            }
        }

        return handled;
    }

    private async Task WriteRejectsAsync(DisputeFile file, string name, CancellationToken ct)
    {
        var container = blobs.GetBlobContainerClient(RejectedContainer);
        await container.CreateIfNotExistsAsync(cancellationToken: ct);
        await using var stream = await container.GetBlobClient(name).OpenWriteAsync(overwrite: true, cancellationToken: ct);
        await using var json = new Utf8JsonWriter(stream);
        await foreach (var reject in files.RejectsAsync(file.Partner, file.Hash, after: 0, limit: int.MaxValue, ct))
        {
            json.WriteStartObject();
            json.WriteNumber("line", reject.Line);
            json.WriteString("reason", reject.Reason);
            json.WriteString("detail", reject.Detail);
            json.WriteString("content", reject.Content);
            json.WriteEndObject();
            await json.FlushAsync(ct);
            json.Reset();
            stream.WriteByte((byte)'\n');
        }
    }

    private async Task ArchiveAsync(Func<CancellationToken, Task<Stream>> open, string name, CancellationToken ct)
    {
        var container = blobs.GetBlobContainerClient(ArchiveContainer);
        await container.CreateIfNotExistsAsync(cancellationToken: ct);
        var archived = container.GetBlobClient(name);
        if (await archived.ExistsAsync(ct))
            return;
        await using var stream = await open(ct);
        await archived.UploadAsync(stream, overwrite: true, ct);
    }
}
