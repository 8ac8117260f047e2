using Azure.Storage.Blobs;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain.Disputes.Files;

namespace Payments.Functions.Blobs;

/// <summary>
/// Reads a dispute file that a partner uploaded. The event comes from Event Grid, the only source that Flex Consumption supports. The timer
/// <c>ScanDisputesInbox</c> finds files whose events are lost.
/// </summary>
public sealed class DisputeFileFunctions(DisputeInbox inbox)
{
    [Function("ReceiveDisputeFile")]
    public Task ReceiveAsync(
        [BlobTrigger(DisputeInbox.InboxContainer + "/{name}", Source = BlobTriggerSource.EventGrid)] BlobClient blob, string name, CancellationToken ct) =>
        inbox.HandleAsync(blob.Name, ct);
}
