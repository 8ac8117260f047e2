using Azure.Storage.Blobs;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain.Payouts;

namespace Payments.Functions.Blobs;

/// <summary>A bank dropped a report. The timer <c>ScanBankInbox</c> finds what the event loses.</summary>
public sealed class BankReportFunctions(BankInbox inbox)
{
    [Function("ReceiveBankReportFile")]
    public Task ReceiveAsync(
        [BlobTrigger(BankInbox.InboxContainer + "/{name}", Source = BlobTriggerSource.EventGrid)] BlobClient blob, string name, CancellationToken ct) =>
        inbox.HandleAsync(blob.Name, ct);
}
