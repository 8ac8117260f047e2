using Microsoft.Extensions.Logging;
using Npgsql;
using Payments.Domain.Database;
using Payments.Domain.Providers;

namespace Payments.Domain.Charges;

/// <summary>
/// Finds out what became of attempts whose answer never came: left behind by a crash, or unknown. The provider is asked by reference, with
/// growing pauses, until it knows. Nothing is sent again, here or elsewhere.
/// </summary>
public sealed class ResolveAttempts(NpgsqlDataSource dataSource, AttemptOutcomes outcomes, PaymentProviders providers, TimeProvider time, ILogger<ResolveAttempts> log)
{
    // Longer than any call to a provider: until then nobody else asks about the attempt, and after a crash somebody does.
    private static readonly TimeSpan Claim = TimeSpan.FromMinutes(2);

    /// <summary>Asks about the attempts that are due, at most <paramref name="limit"/>; returns how many there were.</summary>
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
                // The claim runs out and the attempt is asked about again; one that cannot be resolved must not stop the others.
                ChargeLog.ResolveFailed(log, item.Attempt.Id, e);
            }
        });
        return due.Count;
    }

    /// <summary>Asks the provider about one attempt, and records what it says.</summary>
    internal async Task<AttemptOutcome> ResolveAsync(Charge charge, Attempt attempt, CancellationToken ct)
    {
        // What was made elsewhere bears no reference of ours: the provider would say that it has never heard of it.
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
