using Microsoft.Azure.Functions.Worker;
using Payments.Domain.Observability;

namespace Payments.Functions.Timers;

/// <summary>One instance counts open work every minute. Its gauges feed the alerts and the workbook.</summary>
public sealed class StateTimers(StateMetrics metrics)
{
    [Function("MeasureState")]
    public Task MeasureAsync([TimerTrigger("40 * * * * *")] TimerInfo timer, CancellationToken ct) => metrics.MeasureAsync(ct);
}
