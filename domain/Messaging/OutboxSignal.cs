using System.Threading.Channels;

namespace Payments.Domain.Messaging;

/// <summary>
/// Wakes the relay of this process after a commit. It is only haste: a signal that is lost with the process costs the time until
/// a timer looks.
/// </summary>
public sealed class OutboxSignal
{
    private readonly Channel<bool> _signals = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>Call it after the commit; any number of calls before the relay looks are one.</summary>
    public void Set() => _signals.Writer.TryWrite(true);

    /// <summary>Returns at the next signal, or when the time is over.</summary>
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
