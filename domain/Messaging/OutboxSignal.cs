using System.Threading.Channels;

namespace Payments.Domain.Messaging;

/// <summary>
/// Wakes the relay of this process after a commit. It only saves time: if the process dies before the relay runs, a timer finds the
/// messages.
/// </summary>
public sealed class OutboxSignal
{
    private readonly Channel<bool> _signals = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>Call it after the commit. Several calls before the relay looks count as one.</summary>
    public void Set() => _signals.Writer.TryWrite(true);

    /// <summary>Returns at the next signal or after the given time.</summary>
    internal async Task WaitAsync(TimeSpan atMost, TimeProvider time, CancellationToken ct)
    {
        using var timeout = new CancellationTokenSource(atMost, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, timeout.Token);
        try
        {
            await _signals.Reader.ReadAsync(either.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
        }
    }
}
