using Azure.Storage.Blobs;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain.Disputes.Files;

namespace Payments.Functions.Blobs;

/// <summary>
/// A partner dropped a file of disputes. The event comes from Event Grid, the only source that Flex Consumption knows; what it loses, the
/// timer <c>ScanDisputesInbox</c> finds.
/// </summary>
public sealed class DisputeFileFunctions(DisputeInbox inbox)
{
    [Function("ReceiveDisputeFile")]
    public Task ReceiveAsync(
        [BlobTrigger(DisputeInbox.InboxContainer + "/{name}", Source = BlobTriggerSource.EventGrid)] BlobClient blob, string name, CancellationToken ct) =>
        inbox.HandleAsync(blob.Name, ct);
}
