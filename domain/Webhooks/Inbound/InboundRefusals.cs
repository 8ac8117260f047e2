using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using Payments.Domain.Database;

namespace Payments.Domain.Webhooks.Inbound;

/// <summary>Counts refused requests, and logs one of each kind in ten seconds, so that a flood of requests does not fill the log.</summary>
internal sealed class InboundRefusals(TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(10);
    private static readonly Meter Meter = new(WebhookMetrics.Name);
    private static readonly Counter<long> Refused = Meter.CreateCounter<long>("payments.webhooks.refused", "{request}", "Webhook requests of partners that were not taken");

    private readonly ConcurrentDictionary<(string Provider, WebhookRefusal Refusal), long> _logged = new();

    public void Count(string provider, WebhookRefusal refusal)
    {
        Refused.Add(1, new("provider", provider), new("reason", DbText.Of(refusal)));
        var now = time.GetTimestamp();
        var key = (provider, refusal);
        if (_logged.TryGetValue(key, out var last) ? time.GetElapsedTime(last, now) >= Quiet && _logged.TryUpdate(key, now, last) : _logged.TryAdd(key, now))
            InboundLog.Refused(logger, provider, refusal);
    }
}
