using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Microsoft.Extensions.Logging;
using Payments.Domain.Payouts.BankFiles;

namespace Payments.Domain.Payouts;

/// <summary>
/// Applies the reports that banks put into the blob container <c>bank-inbox</c>. Order: apply the report, copy its bytes to
/// <c>bank-archive</c>, or to <c>bank-rejected</c> if it cannot be trusted, then delete it from the inbox. So a report may be handled any
/// number of times, and a crash at any point loses nothing.
/// </summary>
public sealed class BankInbox(BlobServiceClient blobs, BankReports reports, ILogger<BankInbox> logger)
{
    public const string InboxContainer = "bank-inbox";
    public const string ArchiveContainer = "bank-archive";
    public const string RejectedContainer = "bank-rejected";

    /// <summary>Handles one report. Returns null if the blob is gone already or the report was rejected.</summary>
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
            // Another instance handled it first.
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
            // BankReports has recorded the rejection, with an event for the operator.
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
            // Another instance deleted the blob, or the bank replaced it with a new report of the same name. That report is handled later.
        }

        return summary;
    }

    /// <summary>Handles every report in the inbox. A report that fails stays there and does not stop the others.</summary>
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
                // A report that fails must not block the others. The next scan tries it again.
                PayoutLog.ReportFailed(logger, e, blob.Name);
            }
        }
    }
}
