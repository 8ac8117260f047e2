using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.Logging;
using Payments.Domain.Ledger;

namespace Payments.Functions.Timers;

/// <summary>Seals posted transfers, and verifies every night that nothing posted or sealed was altered.</summary>
public sealed class LedgerTimers(LedgerSealing sealing, SealArchive archive, LedgerVerification verification, TimeProvider time, ILogger<LedgerTimers> log)
{
    [Function("SealLedger")]
    public Task SealAsync([TimerTrigger("%Ledger:SealSchedule%")] TimerInfo timer, CancellationToken ct) => sealing.SealAsync(time.GetUtcNow(), ct);

    /// <summary>Archives the seals where the database's owner cannot change them. Fails if the archive and the ledger disagree.</summary>
    [Function("KeepSeals")]
    public Task KeepAsync([TimerTrigger("15 */5 * * * *")] TimerInfo timer, CancellationToken ct) => archive.KeepAsync(ct);

    [Function("VerifyLedger")]
    public async Task VerifyAsync([TimerTrigger("%Ledger:VerifySchedule%")] TimerInfo timer, CancellationToken ct)
    {
        var verdict = await verification.RunAsync(await archive.LastAsync(ct), ct);
        if (!verdict.IsWhole)
        {
            foreach (var finding in verdict.Findings)
                LedgerTimersLog.VerificationFailed(log, finding.ToString());
            throw new InvalidOperationException($"Ledger verification failed: {verdict.Findings[0]}");
        }

        LedgerTimersLog.VerificationPassed(log, verdict.Transfers, verdict.Seals);
    }
}

internal static partial class LedgerTimersLog
{
    [LoggerMessage(1101, LogLevel.Critical, "Ledger verification failed: {Finding}")]
    public static partial void VerificationFailed(ILogger log, string finding);

    [LoggerMessage(1102, LogLevel.Information, "Ledger verification passed: {TransferCount} transfers, {SealCount} seals")]
    public static partial void VerificationPassed(ILogger log, long transferCount, long sealCount);
}
