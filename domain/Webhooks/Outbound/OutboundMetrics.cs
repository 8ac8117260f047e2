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

    private static readonly Histogram<double> Delay = Meter.CreateHistogram<double>("payments.webhooks.delay", "s", "From an event to its delivery, retries and pauses included");

    /// <param name="age">How long ago the event happened.</param>
    public static void Attempted(Attempt attempt, TimeSpan age)
    {
        var outcome = new KeyValuePair<string, object?>("outcome", DbText.Of(attempt.Outcome));
        Attempts.Add(1, outcome);
        Latency.Record(attempt.Latency.TotalSeconds, outcome);
        if (attempt.Outcome == AttemptOutcome.Delivered)
            Delay.Record(Math.Max(0, age.TotalSeconds));
    }
}
