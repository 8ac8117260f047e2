using Microsoft.Extensions.Logging;
using Npgsql;
using Payments.Domain.Providers;

namespace Payments.Domain.Charges;

/// <summary>
/// Ends lapsed charges: authorizations that were not captured in time, and payments whose customer never came back. It asks the provider
/// first and gives back what the provider still holds. So a charge expires here only if nothing can be captured at the provider any more.
/// </summary>
public sealed class ExpireCharges(
    NpgsqlDataSource dataSource, ChargeReads reads, AttemptOutcomes outcomes, ChargeOperations operations, PaymentProviders providers, TimeProvider time, ILogger<ExpireCharges> log)
{
    /// <summary>How long the timer leaves a charge alone that it could not end.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromHours(1);

    /// <summary>Ends at most <paramref name="limit"/> lapsed charges. Returns how many it examined.</summary>
    public async Task<int> RunAsync(int limit, CancellationToken ct)
    {
        var due = await DueAsync(limit, ct);
        await Parallel.ForEachAsync(due, new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = ct }, async (item, token) =>
        {
            try
            {
                await EndAsync(item.Charge, item.Attempt, token);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                // A charge that cannot be ended must not stop the others.
                ChargeLog.ExpiryFailed(log, item.Charge.Id, e);
            }

            if (await reads.GetAsync(item.Charge.Merchant, item.Charge.Id, token) is { } after && after.Status == item.Charge.Status)
                await PostponeAsync(after, token);
        });
        return due.Count;
    }

    private async Task EndAsync(Charge charge, Attempt attempt, CancellationToken ct)
    {
        var answer = await providers.Get(charge.Provider).FindAsync(ChargeIntent.ToPaymentRequest(charge, attempt), ct);
        switch (answer?.Result)
        {
            case PaymentResult.Authorized or PaymentResult.RequiresAction:
                {
                    var now = time.GetUtcNow();
                    await operations.HandleAsync(
                        new OperationIntent(charge.Merchant, charge.Id, PaymentOperation.Cancel, null, PrefixedId.New<AttemptId>(now), null, now) { IsExpiry = true }, ct);
                    break;
                }

            // For a partly captured charge, this answer says that the provider holds nothing more.
            case PaymentResult.Succeeded when attempt.IsSettled && charge.Captured.IsPositive:
                await outcomes.RecordAsync(attempt.Reference, new PaymentAnswer(PaymentResult.Expired), ct);
                break;
            case PaymentResult.Canceled or PaymentResult.Expired or PaymentResult.Succeeded or PaymentResult.Declined:
                await outcomes.RecordAsync(attempt.Reference, answer, ct);
                break;
            case PaymentResult.Unknown or PaymentResult.Pending or PaymentResult.NotSent or null:
                ChargeLog.ExpiryUnknown(log, charge.Id, answer?.Detail);
                break;
        }
    }

    private async Task<List<(Charge Charge, Attempt Attempt)>> DueAsync(int limit, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(ChargeSql.Lapsed);
        command.Parameters.Add(new() { Value = time.GetUtcNow() });
        command.Parameters.Add(new() { Value = limit });
        var due = new List<(Charge, Attempt)>();
        await using var row = await command.ExecuteReaderAsync(ct);
        while (await row.ReadAsync(ct))
        {
            var charge = ChargeRows.ReadCharge(row);
            due.Add((charge, ChargeRows.ReadAttempt(row, charge, ChargeRows.ChargeWidth)));
        }

        return due;
    }

    private async Task PostponeAsync(Charge charge, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(ChargeSql.PostponeExpiry);
        command.Parameters.Add(new() { Value = charge.Merchant.Value });
        command.Parameters.Add(new() { Value = charge.Id.Value });
        command.Parameters.Add(new() { Value = time.GetUtcNow() + Pause });
        await command.ExecuteNonQueryAsync(ct);
    }
}
