using Microsoft.Azure.Functions.Worker;
using Payments.Domain.Disputes;
using Payments.Domain.Disputes.Evidence;
using Payments.Domain.Disputes.Files;
using Payments.Domain.Disputes.Warnings;

namespace Payments.Functions.Timers;

/// <summary>The timers of disputes.</summary>
public sealed class DisputeTimers(DisputeIngestion ingestion, DisputeDeadlines deadlines, DisputeInbox inbox, RespondToDispute respond, RefundWarnings warnings)
{
    private const int Batch = 1000;

    /// <summary>Looks again for the charges of unmatched updates. The pause of an update grows after each look, so a run ends.</summary>
    [Function("MatchDisputes")]
    public async Task MatchAsync([TimerTrigger("%Disputes:MatchSchedule%")] TimerInfo timer, CancellationToken ct)
    {
        while (await ingestion.MatchAsync(Batch, ct) == Batch)
        {
        }
    }

    /// <summary>Sends reminders and expires disputes. Both are decided by date, so the next run makes up for a missed one.</summary>
    [Function("WatchDisputeDeadlines")]
    public Task WatchAsync([TimerTrigger("%Disputes:DeadlineSchedule%")] TimerInfo timer, CancellationToken ct) => deadlines.RunAsync(Batch, ct);

    /// <summary>Finds files in the inbox whose blob events are lost.</summary>
    [Function("ScanDisputesInbox")]
    public Task ScanAsync([TimerTrigger("%Disputes:ScanSchedule%")] TimerInfo timer, CancellationToken ct) => inbox.ScanAsync(ct);

    /// <summary>Refunds early warnings by the merchants' rules.</summary>
    [Function("RefundEarlyWarnings")]
    public async Task RefundAsync([TimerTrigger("%Disputes:MatchSchedule%")] TimerInfo timer, CancellationToken ct)
    {
        while (await warnings.RunAsync(Batch, ct) == Batch)
        {
        }
    }

    /// <summary>Finds the outcome of dispute responses that a crash or a silent provider left open.</summary>
    [Function("ResolveDisputeResponses")]
    public async Task ResolveAsync([TimerTrigger("%Disputes:MatchSchedule%")] TimerInfo timer, CancellationToken ct)
    {
        while (await respond.ResolveAsync(Batch, ct) == Batch)
        {
        }
    }
}
