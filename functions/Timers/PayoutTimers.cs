using Microsoft.Azure.Functions.Worker;
using Payments.Domain.Balances;
using Payments.Domain.Payouts;

namespace Payments.Functions.Timers;

/// <summary>
/// The timers of payouts. What is due is decided by date. So a timer that runs late, twice or on several instances does no harm, and the
/// next run makes up for a missed one.
/// </summary>
public sealed class PayoutTimers(ReleaseFunds release, RunPayouts runs, SubmitPayout submit, BankInbox inbox, PayoutChecks checks)
{
    [Function("ReleaseFunds")]
    public Task ReleaseAsync([TimerTrigger("%Payouts:ReleaseSchedule%")] TimerInfo timer, CancellationToken ct) => release.RunAsync(ct);

    [Function("RunPayouts")]
    public Task RunAsync([TimerTrigger("%Payouts:Schedule%")] TimerInfo timer, CancellationToken ct) => runs.RunDueAsync(ct);

    [Function("SubmitForgottenPayouts")]
    public Task SweepAsync([TimerTrigger("30 */5 * * * *")] TimerInfo timer, CancellationToken ct) => submit.SweepAsync(500, ct);

    /// <summary>Banks report a few times a day, so polling is enough.</summary>
    [Function("ScanBankInbox")]
    public Task ScanAsync([TimerTrigger("*/30 * * * * *")] TimerInfo timer, CancellationToken ct) => inbox.ScanAsync(ct);

    [Function("CheckPayouts")]
    public Task CheckAsync([TimerTrigger("0 15 4 * * *")] TimerInfo timer, CancellationToken ct) => checks.RunAsync(ct);
}
