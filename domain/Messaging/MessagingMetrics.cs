using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Payments.Domain.Messaging;

/// <summary>The meter and the activity source of messaging, both named <c>Payments.Messaging</c>.</summary>
public static class MessagingMetrics
{
    public const string Name = "Payments.Messaging";

    internal static readonly ActivitySource Activities = new(Name);

    private static readonly Meter Meter = new(Name);
    private static readonly Counter<long> SentMessages = Meter.CreateCounter<long>("payments.outbox.sent", "{message}", "Messages handed to a queue");
    private static readonly Counter<long> FailedSends = Meter.CreateCounter<long>("payments.outbox.failed", "{message}", "Sends that failed and are tried again");
    private static readonly Histogram<double> Ages = Meter.CreateHistogram<double>("payments.outbox.age", "s", "From being due to being sent");
    private static readonly Counter<long> HandledMessages = Meter.CreateCounter<long>("payments.messages.handled", "{message}", "Messages handled, by queue, type and outcome");
    private static double _oldest;

    static MessagingMetrics() =>
        Meter.CreateObservableGauge("payments.outbox.oldest", () => Volatile.Read(ref _oldest), "s", "How long the oldest due message has been waiting");

    /// <param name="traceParent">The trace of the transaction that wrote the message. The send appears in it.</param>
    /// <param name="started">When the relay began the batch of the message.</param>
    internal static void Sent(string queue, string type, string? traceParent, DateTimeOffset started, TimeSpan age)
    {
        if (Activities.HasListeners() && ActivityContext.TryParse(traceParent, null, isRemote: true, out var parent))
        {
            using var activity = Activities.StartActivity($"send {type}", ActivityKind.Producer, parent, startTime: started);
            activity?.SetTag("messaging.destination.name", queue);
        }

        SentMessages.Add(1, new KeyValuePair<string, object?>("queue", queue));
        Ages.Record(age.TotalSeconds, new KeyValuePair<string, object?>("queue", queue));
    }

    internal static void SendFailed(string queue) => FailedSends.Add(1, new KeyValuePair<string, object?>("queue", queue));

    internal static void Handled(string queue, string type, string outcome) =>
        HandledMessages.Add(1, new("queue", queue), new("type", type), new("outcome", outcome));

    internal static void Oldest(TimeSpan age) => Volatile.Write(ref _oldest, age.TotalSeconds);
}
