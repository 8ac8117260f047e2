using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Payments.Domain.Database;

/// <summary>
/// The meter and the activity source of group commits, both named <c>Payments.GroupCommit</c>. Every instrument carries the queue's name.
/// </summary>
internal sealed class GroupCommitMetrics(string queue)
{
    public const string MeterName = "Payments.GroupCommit";

    public static readonly ActivitySource Activities = new(MeterName);

    private static readonly Meter Meter = new(MeterName);
    private static readonly Histogram<int> BatchSize = Meter.CreateHistogram<int>("payments.group_commit.batch_size", "{item}");
    private static readonly Histogram<double> Wait = Meter.CreateHistogram<double>("payments.group_commit.wait", "s");
    private static readonly Histogram<double> Duration = Meter.CreateHistogram<double>("payments.group_commit.commit", "s");
    private static readonly Counter<long> Failures = Meter.CreateCounter<long>("payments.group_commit.failed_batches", "{batch}");
    private static readonly Counter<long> Refusals = Meter.CreateCounter<long>("payments.group_commit.refused", "{item}");

    private readonly KeyValuePair<string, object?> _queue = new("queue", queue);

    public void Waited(TimeSpan wait) => Wait.Record(wait.TotalSeconds, _queue);

    public void Committed(int items, TimeSpan duration)
    {
        BatchSize.Record(items, _queue);
        Duration.Record(duration.TotalSeconds, _queue);
    }

    public void Failed() => Failures.Add(1, _queue);

    public void Refused() => Refusals.Add(1, _queue);
}
