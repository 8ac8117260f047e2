using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.Logging;
using Payments.Domain.Ledger;

namespace Payments.Functions.Timers;

/// <summary>Seals what was posted, and proves every night that nothing sealed or posted was altered.</summary>
public sealed class LedgerTimers(LedgerSealing sealing, LedgerVerification verification, TimeProvider time, ILogger<LedgerTimers> log)
{
    [Function("SealLedger")]
    public Task SealAsync([TimerTrigger("%Ledger:SealSchedule%")] TimerInfo timer, CancellationToken ct) => sealing.SealAsync(time.GetUtcNow(), ct);

    [Function("VerifyLedger")]
    public async Task VerifyAsync([TimerTrigger("%Ledger:VerifySchedule%")] TimerInfo timer, CancellationToken ct)
    {
        var verdict = await verification.RunAsync(null, ct);
        if (!verdict.IsWhole)
        {
            foreach (var finding in verdict.Findings)
                LedgerTimersLog.Finding(log, finding.ToString());
            throw new InvalidOperationException($"The ledger is not whole: {verdict.Findings[0]}");
        }

        LedgerTimersLog.Whole(log, verdict.Transfers, verdict.Seals);
    }
}

internal static partial class LedgerTimersLog
{
    [LoggerMessage(1101, LogLevel.Critical, "The ledger was altered: {Finding}")]
    public static partial void Finding(ILogger log, string finding);

    [LoggerMessage(1102, LogLevel.Information, "The ledger is whole: {Transfers} transfers, {Seals} seals.")]
    public static partial void Whole(ILogger log, long transfers, long seals);
}
