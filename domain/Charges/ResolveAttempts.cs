using Microsoft.Extensions.Logging;
using Npgsql;
using Payments.Domain.Database;
using Payments.Domain.Providers;

namespace Payments.Domain.Charges;

/// <summary>
/// Finds the outcome of open attempts, for example after a crash or a call without an answer. It asks the provider by reference, with
/// growing pauses, until the provider knows. It never sends an operation again, at this provider or another.
/// </summary>
public sealed class ResolveAttempts(NpgsqlDataSource dataSource, AttemptOutcomes outcomes, PaymentProviders providers, TimeProvider time, ILogger<ResolveAttempts> log)
{
    // Longer than any call to a provider. While the claim lasts, no other instance asks about the attempt. After a crash, another instance
    // claims it.
    private static readonly TimeSpan Claim = TimeSpan.FromMinutes(2);

    /// <summary>Asks about at most <paramref name="limit"/> attempts that are due. Returns how many it claimed.</summary>
    public async Task<int> RunAsync(int limit, CancellationToken ct)
    {
        var due = await ClaimAsync(limit, ct);
        await Parallel.ForEachAsync(due, new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = ct }, async (item, token) =>
        {
            try
            {
                await ResolveAsync(item.Charge, item.Attempt, token);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                // The claim expires, and the resolver asks again. An attempt that cannot be resolved must not stop the others.
                ChargeLog.ResolveFailed(log, item.Attempt.Id, e);
            }
        });
        return due.Count;
    }

    /// <summary>Asks the provider about one attempt, and records the answer.</summary>
    internal async Task<AttemptOutcome> ResolveAsync(Charge charge, Attempt attempt, CancellationToken ct)
    {
        // An operation made elsewhere does not carry our reference. The provider would answer that it does not know it.
        var found = attempt.MadeElsewhere ? PaymentAnswer.Unknown("It was made elsewhere; the provider's event will tell.")
            : await providers.Get(attempt.Provider).FindAsync(ChargeIntent.ToPaymentRequest(charge, attempt), ct);
        var answer = found ?? (time.GetUtcNow() - attempt.CreatedAt >= ChargeRules.NeverArrived
            ? PaymentAnswer.NotSent("The provider has never heard of it.")
            : PaymentAnswer.Unknown("The provider has not heard of it yet."));
        return await outcomes.RecordAsync(attempt.Reference, answer, ct);
    }

    private async Task<List<(Charge Charge, Attempt Attempt)>> ClaimAsync(int limit, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var batch = dataSource.CreateBatch();
        batch.BatchCommands.Add(new(KeptPlans.Use));
        batch.BatchCommands.Add(new(ChargeSql.RecordDueFirstAttempts) { Parameters = { new() { Value = now }, new() { Value = limit } } });
        batch.BatchCommands.Add(new(ChargeSql.ClaimDueAttempts) { Parameters = { new() { Value = now }, new() { Value = now + Claim }, new() { Value = limit } } });
        var due = new List<(Charge, Attempt)>();
        await using var row = await batch.ExecuteReaderAsync(ct);
        await row.NextResultAsync(ct);
        await row.NextResultAsync(ct);
        while (await row.ReadAsync(ct))
        {
            var charge = ChargeRows.ReadCharge(row);
            due.Add((charge, ChargeRows.ReadAttempt(row, charge, ChargeRows.ChargeWidth)));
        }

        return due;
    }
}
