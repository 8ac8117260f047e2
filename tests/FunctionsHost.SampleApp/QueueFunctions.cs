using Azure.Storage.Queues.Models;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsHost.SampleApp;

/// <summary>Functions that messages of storage queues start.</summary>
public sealed class QueueFunctions(Journal journal)
{
    [Function("TextQueue")]
    public Task Text([QueueTrigger("%Queue%")] string text, FunctionContext context, CancellationToken cancellation) =>
        journal.TakeAsync(text, context, cancellation);

    [Function("OtherQueue")]
    public Task Other([QueueTrigger("%OtherQueue%")] string text, FunctionContext context, CancellationToken cancellation) =>
        journal.TakeAsync("other " + text, context, cancellation);

    [Function("MessageQueue")]
    public Task Message([QueueTrigger("%Queue%")] QueueMessage message, FunctionContext context, CancellationToken cancellation) =>
        journal.TakeAsync($"{message.Body} {message.DequeueCount} {message.InsertedOn is not null}", context, cancellation);

    [Function("BytesQueue")]
    public Task Bytes([QueueTrigger("%Queue%")] byte[] bytes, FunctionContext context, CancellationToken cancellation) =>
        journal.TakeAsync(Convert.ToHexString(bytes), context, cancellation);

    [Function("JsonQueue")]
    public Task Json([QueueTrigger("%Queue%")] Named named, string colour, FunctionContext context, CancellationToken cancellation) =>
        journal.TakeAsync($"{named.Name} {colour}", context, cancellation);
}

public sealed record Named(string Name);
