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
        // As Microsoft's host does: no receipt is kept and no version compared, so each event runs its function, on the version of now.
        return await function.RunAsync(blob.BlobName, values, properties.Metadata, abandoning);
    }

    /// <summary>Serves Event Grid: its handshake, and events of new blobs. Refusals are those of Microsoft's host.</summary>
    public async Task ServeAsync(HttpContext context)
    {
        var request = context.Request;
        // The host's key of these events is not known here; that there is one is.
        if (string.IsNullOrEmpty(request.Query["code"]))
        {
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            return;
        }
        if (!HttpMethods.IsPost(request.Method))
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            return;
        }
        var kind = request.Headers["aeg-event-type"].ToString();
        if (kind == "Unsubscribe"
            || BlobMessage.FunctionIn(request.Query["functionName"]) is not { } name
            || !_functions.TryGetValue(name, out var function))
        {
            context.Response.StatusCode = StatusCodes.Status202Accepted;
            return;
        }
        try
        {
            using var document = await JsonDocument.ParseAsync(request.Body, cancellationToken: context.RequestAborted);
            var events = document.RootElement.ValueKind == JsonValueKind.Array
                ? document.RootElement.EnumerateArray().ToList()
                : [document.RootElement];
            switch (kind)
            {
                case "SubscriptionValidation":
                    var code = events[0].GetProperty("data").GetProperty("validationCode").GetString();
                    context.Response.ContentType = "text/plain; charset=utf-8";
                    await context.Response.WriteAsync(JsonSerializer.Serialize(new { validationResponse = code }), context.RequestAborted);
                    return;
                case "Notification":
                    await KeepAsync(function, events, context.RequestAborted);
                    context.Response.StatusCode = StatusCodes.Status202Accepted;
                    return;
                default:
                    context.Response.StatusCode = StatusCodes.Status400BadRequest;
                    return;
            }
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or ArgumentOutOfRangeException)
        {
            _console.Line($"An event of Event Grid cannot be read: {e.Message}");
            context.Response.StatusCode = StatusCodes.Status500InternalServerError;
        }
    }

    private async Task KeepAsync(BlobFunction function, IReadOnlyList<JsonElement> events, CancellationToken cancellation)
    {
        foreach (var notice in events)
        {
            var data = notice.GetProperty("data");
            _ = data.GetProperty("blobType").GetString();
            if (BlobIn(data.GetProperty("url").GetString(), function) is not { } blob)
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
