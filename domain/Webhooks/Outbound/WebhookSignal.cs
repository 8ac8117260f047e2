using Payments.Domain.Messaging;

namespace Payments.Domain.Webhooks.Outbound;

/// <summary>Wakes the dispatcher of this process: there is something to deliver, or room to deliver more.</summary>
public sealed class WebhookSignal
{
    private readonly OutboxSignal _signal = new();

    public void Set() => _signal.Set();

    internal Task WaitAsync(TimeSpan atMost, TimeProvider time, CancellationToken ct) => _signal.WaitAsync(atMost, time, ct);
}
