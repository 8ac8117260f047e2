using System.Diagnostics.CodeAnalysis;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Specialized;
using FunctionsHost.Hosting;

namespace FunctionsHost.Storage;

/// <summary>
/// Makes one process among many the only one that does something. A process that dies loses the lease after 15 seconds;
/// one that cannot renew knows that it has lost it no later than the others may take it.
/// </summary>
internal sealed class BlobLease : IAsyncDisposable
{
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan RenewEvery = TimeSpan.FromSeconds(5);

    private readonly BlobLeaseClient _lease;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _lost = new();
    private readonly CancellationTokenSource _disposing = new();
    private readonly Task _renewing;

    private BlobLease(BlobLeaseClient lease, TimeProvider time, long acquired)
    {
        _lease = lease;
        _time = time;
        _renewing = RenewAsync(acquired);
    }

    /// <summary>Trips when the lease is no longer held.</summary>
    public CancellationToken Lost => _lost.Token;

    /// <summary>Waits until the lease is free. A storage outage is waited out, and told once.</summary>
    public static async Task<BlobLease> AcquireAsync(BlobClient blob, HostConsole console, TimeProvider time, CancellationToken stopping)
    {
        var told = false;
        while (true)
        {
            try
            {
                var lease = blob.GetBlobLeaseClient();
                var before = time.GetTimestamp();
                await EnsureExistsAsync(blob, stopping);
                await lease.AcquireAsync(Duration, cancellationToken: stopping);
                return new BlobLease(lease, time, before);
            }
            catch (RequestFailedException e) when (e.Status == 409)
            {
                // Another process holds it.
            }
            catch (Exception e) when (e is RequestFailedException or AggregateException)
            {
                if (!told)
                    console.Line($"Storage cannot be reached for {blob.Name}: {e.Message.Split('\n')[0]} Trying again.");
                told = true;
            }
            await Task.Delay(TimeSpan.FromSeconds(1), time, stopping);
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "A lease that cannot be given back expires.")]
    public async ValueTask DisposeAsync()
    {
        await _disposing.CancelAsync();
        await _renewing;
        if (!_lost.IsCancellationRequested)
        {
            try
            {
                using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
                await _lease.ReleaseAsync(cancellationToken: patience.Token);
            }
            catch (Exception)
            {
                // Left to expire.
            }
        }
        _disposing.Dispose();
        _lost.Dispose();
    }

    private static async Task EnsureExistsAsync(BlobClient blob, CancellationToken cancellation)
    {
        if (await blob.ExistsAsync(cancellation))
            return;
        await blob.GetParentBlobContainerClient().CreateIfNotExistsAsync(cancellationToken: cancellation);
        // Never overwrites: a process that came first may hold the lease on it already, which then answers 409 or 412.
        try
        {
            await blob.UploadAsync(BinaryData.FromString(""), overwrite: false, cancellation);
        }
        catch (RequestFailedException e) when (e.Status is 409 or 412)
        {
            // It exists by now.
        }
    }

    private async Task RenewAsync(long held)
    {
        try
        {
            while (true)
            {
                await Task.Delay(RenewEvery, _time, _disposing.Token);
                var before = _time.GetTimestamp();
                try
                {
                    using var patience = CancellationTokenSource.CreateLinkedTokenSource(_disposing.Token);
                    patience.CancelAfter(RenewEvery);
                    await _lease.RenewAsync(cancellationToken: patience.Token);
                    held = before;
                }
                catch (RequestFailedException e) when (e.Status is 404 or 409 or 412)
                {
                    break;
                }
                catch (Exception) when (!_disposing.IsCancellationRequested && _time.GetElapsedTime(held) < Duration - RenewEvery)
                {
                    // Still held: there is time to try again.
                }
                catch (Exception) when (!_disposing.IsCancellationRequested)
                {
                    break;
                }
            }
            await _lost.CancelAsync();
        }
        catch (OperationCanceledException)
        {
            // Disposed.
        }
    }
}
