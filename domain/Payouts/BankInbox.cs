using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Microsoft.Extensions.Logging;
using Payments.Domain.Payouts.BankFiles;

namespace Payments.Domain.Payouts;

/// <summary>
/// Where banks drop reports: the blob container <c>bank-inbox</c>. A report is applied, its bytes go to <c>bank-archive</c>, or to <c>bank-rejected</c> when it
/// cannot be trusted, and only then does it leave the inbox: it may be handled any number of times, and stop after any line.
/// </summary>
public sealed class BankInbox(BlobServiceClient blobs, BankReports reports, ILogger<BankInbox> logger)
{
    public const string InboxContainer = "bank-inbox";
    public const string ArchiveContainer = "bank-archive";
    public const string RejectedContainer = "bank-rejected";

    /// <summary>Handles one report; null when it is gone already or was not to be trusted.</summary>
    public async Task<BankReportSummary?> HandleAsync(string name, CancellationToken ct)
    {
        var source = blobs.GetBlobContainerClient(InboxContainer).GetBlobClient(name);
        BlobDownloadResult blob;
        try
        {
            blob = await source.DownloadContentAsync(ct);
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            // Another instance was faster.
            return null;
        }

        BankReportSummary? summary = null;
        try
        {
            await using var content = blob.Content.ToStream();
            summary = await reports.ApplyAsync(name, content, ct);
        }
        catch (BankFileException)
        {
            // The rejection is kept, with an event, where people see it.
        }

        var target = blobs.GetBlobContainerClient(summary is null ? RejectedContainer : ArchiveContainer);
        await target.CreateIfNotExistsAsync(cancellationToken: ct);
        await target.GetBlobClient($"{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(blob.Content))}/{name}").UploadAsync(blob.Content, overwrite: true, ct);
        try
        {
            await source.DeleteAsync(conditions: new BlobRequestConditions { IfMatch = blob.Details.ETag }, cancellationToken: ct);
        }
        catch (RequestFailedException e) when (e.Status is 404 or 412)
        {
            // Gone already, or replaced meanwhile by another report of the same name, whose turn comes.
        }

        return summary;
    }

    /// <summary>Handles what lies in the inbox.</summary>
    public async Task ScanAsync(CancellationToken ct)
    {
        var container = blobs.GetBlobContainerClient(InboxContainer);
        await container.CreateIfNotExistsAsync(cancellationToken: ct);
        await foreach (var blob in container.GetBlobsAsync(cancellationToken: ct))
        {
            try
            {
                await HandleAsync(blob.Name, ct);
            }
            catch (Exception e) when (!ct.IsCancellationRequested)
            {
                // One report that fails must not keep the others waiting; it is tried again by the next scan.
                PayoutLog.ReportFailed(logger, e, blob.Name);
            }
        }
    }
}
