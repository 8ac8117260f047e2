using Microsoft.Azure.Functions.Worker;
using Payments.Domain.Charges;
using Payments.Domain.Idempotency;

namespace Payments.Functions.Timers;

/// <summary>The timers of charges. They find what a crash or a silent provider left open.</summary>
public sealed class ChargeTimers(ResolveAttempts resolve, ExpireCharges expire, OverdueAttempts overdue, IdempotencyStore idempotency)
{
    private const int Batch = 200;

    [Function("ResolveAttempts")]
    public async Task ResolveAsync([TimerTrigger("%Charges:ResolveSchedule%")] TimerInfo timer, CancellationToken ct)
    {
        while (await resolve.RunAsync(Batch, ct) == Batch)
        {
        }

        while (await overdue.RunAsync(Batch, ct) == Batch)
        {
        }
    }

    [Function("ExpireCharges")]
    public async Task ExpireAsync([TimerTrigger("%Charges:ExpireSchedule%")] TimerInfo timer, CancellationToken ct)
    {
        while (await expire.RunAsync(Batch, ct) == Batch)
        {
        }
    }

    [Function("PurgeIdempotencyKeys")]
    public async Task PurgeAsync([TimerTrigger("0 7 * * * *")] TimerInfo timer, CancellationToken ct)
    {
        while (await idempotency.PurgeAsync(5_000, ct) == 5_000)
        {
        }
    }
}
