using Azure.Storage.Blobs;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsHost.SampleApp;

/// <summary>Functions that blobs start.</summary>
public sealed class BlobFunctions(Journal journal)
{
    [Function("Blob")]
    public async Task Blob(
        [BlobTrigger("%Inbox%")] Stream content, string partner, string name, FunctionContext context, CancellationToken cancellation)
    {
        using var reader = new StreamReader(content);
        await journal.TakeAsync($"{partner} {name} {await reader.ReadToEndAsync(cancellation)}", context, cancellation);
    }

    [Function("ClientBlob")]
    public Task Client(
        [BlobTrigger("%Inbox%", Connection = "OtherStorage")] BlobClient blob, FunctionContext context, CancellationToken cancellation) =>
        journal.TakeAsync(blob.Name, context, cancellation);

    [Function("EventBlob")]
    public async Task Event(
        [BlobTrigger("%Inbox%", Source = BlobTriggerSource.EventGrid)] string text, string partner, string name,
        FunctionContext context, CancellationToken cancellation) =>
        await journal.TakeAsync($"{partner} {name} {text}", context, cancellation);
}
