using System.Collections.Concurrent;
using System.Text.Json;
using Azure;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Queues;
using Azure.Storage.Queues.Models;
using FunctionsHost.Hosting;
using FunctionsHost.Queues;
using Microsoft.AspNetCore.Http;

namespace FunctionsHost.Blobs;

/// <summary>
/// Blob functions that Event Grid starts: their containers are not watched. An event is kept in a queue before it is
/// answered, so that it outlives this process, and runs its function from there.
/// </summary>
internal sealed class BlobEvents : IQueueConsumer, ITriggerListener
{
    public const string Path = "/runtime/webhooks/blobs";

    private readonly Dictionary<string, BlobFunction> _functions;
    private readonly QueueClient _queue;
    private readonly QueueListener _listener;
    private readonly HostConsole _console;

    /// <summary>Versions that run now, so that an event that comes twice at once runs once.</summary>
    private readonly ConcurrentDictionary<(string Function, string Blob, ETag Version), TaskCompletionSource<bool>> _running = new();

    public BlobEvents(
        IEnumerable<BlobFunction> functions, QueueServiceClient queues, string hostId, QueueSettings queueSettings, BlobSettings settings,
        HostConsole console, TimeProvider time)
    {
        _functions = functions.ToDictionary(function => function.Function.Name, StringComparer.OrdinalIgnoreCase);
        _queue = queues.GetQueueClient($"azure-webjobs-blobtrigger-{hostId}");
        _console = console;
        _listener = new QueueListener(
            _queue,
            queues.GetQueueClient(BlobMessage.PoisonQueue),
            queueSettings with { Base64 = true, MaxDequeueCount = settings.PoisonBlobThreshold },
            this, console, time);
    }

    public string Name => "Event Grid";

    public Task RunAsync(CancellationToken stopping, CancellationToken abandoning) => _listener.RunAsync(stopping, abandoning);

    public async Task<bool> HandleAsync(QueueMessage message, CancellationToken abandoning)
    {
        var blob = message.Body.ToObjectFromJson<BlobMessage>()!;
        if (BlobMessage.FunctionIn(blob.FunctionId) is not { } name || !_functions.TryGetValue(name, out var function))
        {
            _console.Line(
                $"An event of '{blob.ContainerName}/{blob.BlobName}' is for '{blob.FunctionId}', which is not a function "
                + "that Event Grid starts.");
            return false;
        }
        if (function.Path.Match(blob.BlobName) is not { } values)
            return true;
        BlobProperties properties;
        try
        {
            properties = await function.Container.GetBlobClient(blob.BlobName).GetPropertiesAsync(cancellationToken: abandoning);
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            // Deleted meanwhile.
            return true;
        }
        // The event may be late: the function reads the version of now, and one receipt covers it.
        var key = (name, blob.BlobName, properties.ETag);
        var mine = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        var first = _running.GetOrAdd(key, mine);
        if (first != mine)
            return await first.Task;
        var succeeded = false;
        try
        {
            succeeded = await RunOnceAsync(function, blob.BlobName, properties, values, abandoning);
            return succeeded;
        }
        finally
        {
            _running.TryRemove(key, out _);
            mine.SetResult(succeeded);
        }
    }

    /// <summary>Serves Event Grid: its handshake, and events of new blobs.</summary>
    public async Task ServeAsync(HttpContext context)
    {
        var request = context.Request;
        if (!HttpMethods.IsPost(request.Method)
            || BlobMessage.FunctionIn(request.Query["functionName"]) is not { } name
            || !_functions.TryGetValue(name, out var function))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }
        JsonDocument document;
        try
        {
            document = await JsonDocument.ParseAsync(request.Body, cancellationToken: context.RequestAborted);
        }
        catch (JsonException)
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            return;
        }
        using (document)
        {
            var events = document.RootElement.ValueKind == JsonValueKind.Array
                ? document.RootElement.EnumerateArray().ToList()
                : [document.RootElement];
            switch (request.Headers["aeg-event-type"].ToString())
            {
                case "SubscriptionValidation":
                    await context.Response.WriteAsJsonAsync(
                        new { validationResponse = events[0].GetProperty("data").GetProperty("validationCode").GetString() });
                    return;
                case "Notification":
                    await KeepAsync(function, events, context.RequestAborted);
                    context.Response.StatusCode = StatusCodes.Status202Accepted;
                    return;
                case "Unsubscribe":
                    context.Response.StatusCode = StatusCodes.Status202Accepted;
                    return;
                default:
                    context.Response.StatusCode = StatusCodes.Status400BadRequest;
                    return;
            }
        }
    }

    private static async Task<bool> RunOnceAsync(
        BlobFunction function,
        string blob,
        BlobProperties properties,
        IReadOnlyDictionary<string, string> values,
        CancellationToken abandoning)
    {
        if (await function.HasReceiptAsync(blob, properties.ETag, abandoning))
            return true;
        if (!await function.RunAsync(blob, values, properties.Metadata, abandoning))
            return false;
        await function.WriteReceiptAsync(blob, properties.ETag, abandoning);
        return true;
    }

    private async Task KeepAsync(BlobFunction function, IReadOnlyList<JsonElement> events, CancellationToken cancellation)
    {
        foreach (var notice in events)
        {
            if (!notice.TryGetProperty("data", out var data) || !data.TryGetProperty("url", out var url)
                || BlobIn(url.GetString(), function) is not { } blob)
                continue;
            var version = data.TryGetProperty("eTag", out var tag) && tag.GetString() is { Length: > 0 } text
                ? new ETag(text)
                : new ETag("\"\"");
            var body = BlobMessage.Of(function.Function.Name, function.Container.Name, blob, version).ToBody();
            try
            {
                await _queue.SendMessageAsync(body, cancellation);
            }
            catch (RequestFailedException e) when (e.Status == 404)
            {
                await _queue.CreateIfNotExistsAsync(cancellationToken: cancellation);
                await _queue.SendMessageAsync(body, cancellation);
            }
            _listener.Wake();
        }
    }

    /// <summary>The name of the blob at an address; null where that is in another container.</summary>
    private static string? BlobIn(string? url, BlobFunction function)
    {
        if (url is null || !Uri.TryCreate(url, UriKind.Absolute, out var address))
            return null;
        // The account is the host's name on Azure, and the first segment of the path of a local one.
        var path = address.AbsolutePath;
        var account = function.Container.Uri.AbsolutePath[..^function.Container.Name.Length];
        if (path.StartsWith(account, StringComparison.Ordinal)
            && path[account.Length..].StartsWith(function.Container.Name + "/", StringComparison.Ordinal))
            return Uri.UnescapeDataString(path[(account.Length + function.Container.Name.Length + 1)..]);
        return path.StartsWith($"/{function.Container.Name}/", StringComparison.Ordinal)
            ? Uri.UnescapeDataString(path[(function.Container.Name.Length + 2)..])
            : null;
    }
}
