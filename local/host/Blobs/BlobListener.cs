using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Queues;
using FunctionsHost.Hosting;

namespace FunctionsHost.Blobs;

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
/// version that fails too often leaves a message in the poison queue.
/// </summary>
internal sealed class BlobListener(
    BlobFunction function,
    BlobClient lockBlob,
    Func<QueueServiceClient> queues,
    BlobSettings settings,
    HostConsole console,
    TimeProvider time) : ITriggerListener
{
    /// <summary>Versions that need no look at their receipt any more, and how often the others have failed.</summary>
    private readonly HashSet<(string Blob, ETag Version)> _done = [];
    private readonly Dictionary<(string Blob, ETag Version), int> _failures = [];
    private readonly Lock _lock = new();

    public async Task RunAsync(CancellationToken stopping, CancellationToken abandoning)
    {
        while (!stopping.IsCancellationRequested)
        {
            await using var lease = await Storage.BlobLease.AcquireAsync(lockBlob, console, time, stopping);
            using var holding = CancellationTokenSource.CreateLinkedTokenSource(stopping, lease.Lost);
            try
            {
                while (true)
                {
                    await ScanAsync(holding.Token, abandoning);
                    await Task.Delay(settings.PollEvery, time, holding.Token);
                }
            }
            catch (OperationCanceledException) when (holding.IsCancellationRequested)
            {
                // Stopping, or another process watches the container now.
            }
            catch (Exception e) when (e is RequestFailedException or AggregateException)
            {
                console.Line($"The container '{function.Container.Name}' cannot be watched: {e.Message.Split('\n')[0]} Trying again.");
                await Task.Delay(TimeSpan.FromSeconds(1), time, stopping);
            }
        }
    }

    private async Task ScanAsync(CancellationToken holding, CancellationToken abandoning)
    {
        var found = new List<(BlobItem Blob, IReadOnlyDictionary<string, string> Values)>();
        var present = new HashSet<(string, ETag)>();
        try
        {
            await foreach (var blob in function.Container.GetBlobsAsync(cancellationToken: holding))
            {
                if (function.Path.Match(blob.Name) is not { } values || blob.Properties.ETag is not { } version)
                    continue;
                present.Add((blob.Name, version));
                if (!_done.Contains((blob.Name, version)))
                    found.Add((blob, values));
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
            new ParallelOptions { MaxDegreeOfParallelism = settings.MaxDegreeOfParallelism, CancellationToken = holding },
            async (entry, _) => await HandleAsync(entry.Blob, entry.Values, abandoning));
    }

    private async Task HandleAsync(BlobItem blob, IReadOnlyDictionary<string, string> values, CancellationToken abandoning)
    {
        var key = (Blob: blob.Name, Version: blob.Properties.ETag!.Value);
        if (!await function.HasReceiptAsync(key.Blob, key.Version, abandoning))
        {
            if (!await function.RunAsync(key.Blob, values, blob.Metadata ?? new Dictionary<string, string>(), abandoning)
                && !await GiveUpAsync(key, abandoning))
                return;
            await function.WriteReceiptAsync(key.Blob, key.Version, abandoning);
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
        if (failures < settings.PoisonBlobThreshold)
            return false;
        console.Line(
            $"The blob '{function.Container.Name}/{key.Blob}' failed {failures} times and is reported to '{BlobMessage.PoisonQueue}'.");
        var poison = queues().GetQueueClient(BlobMessage.PoisonQueue);
        await poison.CreateIfNotExistsAsync(cancellationToken: abandoning);
        await poison.SendMessageAsync(
            BlobMessage.Of(function.Function.Name, function.Container.Name, key.Blob, key.Version).ToBody(), cancellationToken: abandoning);
        return true;
    }
}
