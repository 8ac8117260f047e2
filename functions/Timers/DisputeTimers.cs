using Microsoft.Azure.Functions.Worker;
using Payments.Domain.Disputes;
using Payments.Domain.Disputes.Evidence;
using Payments.Domain.Disputes.Files;
using Payments.Domain.Disputes.Warnings;

namespace Payments.Functions.Timers;

/// <summary>What disputes do by themselves as time goes by.</summary>
public sealed class DisputeTimers(DisputeIngestion ingestion, DisputeDeadlines deadlines, DisputeInbox inbox, RespondToDispute respond, RefundWarnings warnings)
{
    private const int Batch = 1000;

    /// <summary>Looks again for the charges of unmatched updates. Each waits longer after each look, so a run ends.</summary>
    [Function("MatchDisputes")]
    public async Task MatchAsync([TimerTrigger("%Disputes:MatchSchedule%")] TimerInfo timer, CancellationToken ct)
    {
        while (await ingestion.MatchAsync(Batch, ct) == Batch)
        {
        }
    }

    /// <summary>Reminders and expiry go by dates: a run that was missed is made up for by the next.</summary>
    [Function("WatchDisputeDeadlines")]
    public Task WatchAsync([TimerTrigger("%Disputes:DeadlineSchedule%")] TimerInfo timer, CancellationToken ct) => deadlines.RunAsync(Batch, ct);

    /// <summary>The net under the inbox's blob events.</summary>
    [Function("ScanDisputesInbox")]
    public Task ScanAsync([TimerTrigger("%Disputes:ScanSchedule%")] TimerInfo timer, CancellationToken ct) => inbox.ScanAsync(ct);

    /// <summary>Early warnings that a merchant's rule refunds.</summary>
    [Function("RefundEarlyWarnings")]
    public async Task RefundAsync([TimerTrigger("%Disputes:MatchSchedule%")] TimerInfo timer, CancellationToken ct)
    {
        while (await warnings.RunAsync(Batch, ct) == Batch)
        {
        }
    }

    /// <summary>Answers to disputes that a crash or a silent provider left without an outcome.</summary>
    [Function("ResolveDisputeResponses")]
    public async Task ResolveAsync([TimerTrigger("%Disputes:MatchSchedule%")] TimerInfo timer, CancellationToken ct)
    {
        while (await respond.ResolveAsync(Batch, ct) == Batch)
        {
        }
    }
}
