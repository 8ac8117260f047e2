using Microsoft.Azure.Functions.Worker;
using Payments.Domain.Disputes;

namespace Payments.Functions.Timers;

/// <summary>What disputes do by themselves as time goes by.</summary>
public sealed class DisputeTimers(DisputeIngestion ingestion)
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
}
