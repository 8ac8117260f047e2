using System.Diagnostics;
using System.Diagnostics.Metrics;
using Payments.Domain.Database;

namespace Payments.Domain.Webhooks.Outbound;

internal static class OutboundMetrics
{
    public static readonly ActivitySource Activities = new(WebhookMetrics.Name);

    private static readonly Meter Meter = new(WebhookMetrics.Name);
    private static readonly Counter<long> Attempts = Meter.CreateCounter<long>("payments.webhooks.attempts", "{attempt}", "Attempts to deliver, by outcome");
    private static readonly Histogram<double> Latency = Meter.CreateHistogram<double>("payments.webhooks.latency", "s", "Time of an attempt, by outcome");

    public static void Attempted(Attempt attempt)
    {
        var outcome = new KeyValuePair<string, object?>("outcome", DbText.Of(attempt.Outcome));
        Attempts.Add(1, outcome);
        Latency.Record(attempt.Latency.TotalSeconds, outcome);
    }
}
