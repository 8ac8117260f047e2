using System.Text.Json;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Queues;
using Payments.SelfHost.Hosting;

namespace Payments.SelfHost.Blobs;

/// <summary>How blobs are watched: host.json <c>extensions.blobs</c>.</summary>
internal sealed record BlobSettings(int MaxDegreeOfParallelism, int PoisonBlobThreshold, TimeSpan PollEvery)
{
    public static BlobSettings From(HostJson hostJson, TimeSpan pollEvery) => new(
        hostJson.Number("extensions:blobs:maxDegreeOfParallelism", 8 * Environment.ProcessorCount),
        hostJson.Number("extensions:blobs:poisonBlobThreshold", 5),
        pollEvery);
}

/// <summary>
/// Runs a function for each version of each matching blob of a container, at least once, in one process at a time. A
/// receipt is kept of every version that is done with; one that fails too often leaves a message in the poison queue.
/// </summary>
internal sealed class BlobListener : ITriggerListener
{
    private const string PoisonQueue = "webjobs-blobtrigger-poison";

    private readonly FunctionDescriptor _function;
    private readonly BlobPath _path;
    private readonly BlobContainerClient _container;
    private readonly BlobContainerClient _hosts;
    private readonly string _hostId;
    private readonly Func<QueueServiceClient> _queues;
    private readonly BlobSettings _settings;
    private readonly EventRunner _runner;
    private readonly HostConsole _console;

    /// <summary>Versions that need no look at their receipt any more, and how often the others have failed.</summary>
    private readonly HashSet<(string Blob, ETag Version)> _done = [];
    private readonly Dictionary<(string Blob, ETag Version), int> _failures = [];
    private readonly Lock _lock = new();

    public BlobListener(
        FunctionDescriptor function,
        BlobPath path,
        BlobServiceClient blobs,
        BlobContainerClient hosts,
        string hostId,
        Func<QueueServiceClient> queues,
        BlobSettings settings,
        EventRunner runner,
        HostConsole console)
    {
        _function = function;
        _path = path;
        _container = blobs.GetBlobContainerClient(path.Container);
        _hosts = hosts;
        _hostId = hostId;
        _queues = queues;
        _settings = settings;
        _runner = runner;
        _console = console;
    }

    public async Task RunAsync(CancellationToken stopping, CancellationToken abandoning)
    {
        var lockBlob = _hosts.GetBlobClient($"locks/{_hostId}/{_function.Name}.Listener");
        while (!stopping.IsCancellationRequested)
        {
            await using var lease = await Storage.BlobLease.AcquireAsync(lockBlob, _console, stopping);
            using var holding = CancellationTokenSource.CreateLinkedTokenSource(stopping, lease.Lost);
            try
            {
                while (true)
                {
                    await ScanAsync(holding.Token, abandoning);
                    await Task.Delay(_settings.PollEvery, holding.Token);
                }
            }
            catch (OperationCanceledException) when (holding.IsCancellationRequested)
            {
                // Stopping, or another process watches the container now.
            }
            catch (Exception e) when (e is RequestFailedException or AggregateException)
            {
                _console.Line($"The container '{_container.Name}' cannot be watched: {e.Message.Split('\n')[0]} Trying again.");
                await Task.Delay(TimeSpan.FromSeconds(1), stopping);
            }
        }
    }

    private async Task ScanAsync(CancellationToken holding, CancellationToken abandoning)
    {
        var found = new List<(BlobItem Blob, Dictionary<string, object?> Data)>();
        var present = new HashSet<(string, ETag)>();
        try
        {
            await foreach (var blob in _container.GetBlobsAsync(cancellationToken: holding))
            {
                if (_path.Match(blob.Name) is not { } data || blob.Properties.ETag is not { } version)
                    continue;
                present.Add((blob.Name, version));
                if (!_done.Contains((blob.Name, version)))
                    found.Add((blob, data));
            }
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            // A container that is not there yet has no blobs; unlike a queue, the platform does not create it.
            return;
        }
        _done.IntersectWith(present);
        // Cancelled between blobs, never within one: what was begun is finished.
        await Parallel.ForEachAsync(
            found,
            new ParallelOptions { MaxDegreeOfParallelism = _settings.MaxDegreeOfParallelism, CancellationToken = holding },
            async (entry, _) => await HandleAsync(entry.Blob, entry.Data, abandoning));
    }

    private async Task HandleAsync(BlobItem blob, Dictionary<string, object?> data, CancellationToken abandoning)
    {
        var key = (blob.Name, blob.Properties.ETag!.Value);
        var receipt = _hosts.GetBlobClient(
            $"blobreceipts/{_hostId}/{_function.Name}/{key.Value.ToString("H").Trim('"')}/{_container.Name}/{blob.Name}");
        if (!await receipt.ExistsAsync(abandoning))
        {
            data["BlobTrigger"] = $"{_container.Name}/{blob.Name}";
            data["Uri"] = JsonSerializer.Serialize(_container.GetBlobClient(blob.Name).Uri);
            data["Metadata"] = JsonSerializer.Serialize(blob.Metadata);
            if (await _runner.RunAsync(_function, new BlobInput(_container, blob.Name), data, abandoning) is not null && !await GiveUpAsync(key, abandoning))
                return;
            await receipt.UploadAsync(BinaryData.FromString(""), overwrite: true, abandoning);
        }
        lock (_lock)
        {
            _failures.Remove(key);
            _done.Add(key);
        }
    }

    /// <summary>Counts a failure; at the threshold the blob is reported and never tried again.</summary>
    private async Task<bool> GiveUpAsync((string Blob, ETag Version) key, CancellationToken abandoning)
    {
        int failures;
        lock (_lock)
            failures = _failures[key] = _failures.GetValueOrDefault(key) + 1;
        if (failures < _settings.PoisonBlobThreshold)
            return false;
        _console.Line($"The blob '{_container.Name}/{key.Blob}' failed {failures} times and is reported to '{PoisonQueue}'.");
        var poison = _queues().GetQueueClient(PoisonQueue);
        await poison.CreateIfNotExistsAsync(cancellationToken: abandoning);
        var report = BinaryData.FromObjectAsJson(new
        {
            Type = "BlobTrigger",
            FunctionId = $"Host.Functions.{_function.Name}",
            BlobType = "BlockBlob",
            ContainerName = _container.Name,
            BlobName = key.Blob,
            ETag = key.Version.ToString("H"),
        });
        await poison.SendMessageAsync(Convert.ToBase64String(report), cancellationToken: abandoning);
        return true;
    }
}
