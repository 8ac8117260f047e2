using Npgsql;
using Payments.Domain.Providers;

namespace Payments.Domain.Charges;

/// <param name="Result">
/// The text that the provider appended to the return URL. Needed if the provider finishes a payment only with it, as Adyen does with
/// <c>redirectResult</c>.
/// </param>
public sealed record CompleteChargeRequest(string? Result);

/// <summary>
/// Asks the provider about a charge whose customer is back from 3-D Secure, and records the answer by the same rules as an event. With a
/// result, the provider may finish the payment now. Safe to repeat: there is no second effect.
/// </summary>
public sealed class CompleteCharge(NpgsqlDataSource dataSource, ChargeReads reads, ResolveAttempts resolve, PaymentProviders providers, AttemptOutcomes outcomes)
{
    /// <returns>The current charge. It still requires action if the customer has not finished.</returns>
    public async Task<Result<Charge>> HandleAsync(MerchantId merchant, ChargeId id, CompleteChargeRequest request, CancellationToken ct)
    {
        if (request.Result is { Length: 0 or > 8000 })
            return Refusal.Invalid("result", "`result` must hold the 1 to 8000 characters that the provider appended to the return URL.");
        if (await FindAsync(merchant, id, ct) is not var (charge, attempt))
            return Refusal.NotFound(id.ToString());

        // While the charge is pending, the request that creates it is still waiting for the provider's answer.
        if (attempt.IsSettled || charge.Status is ChargeStatus.Pending)
            return charge;
        if (request.Result is { } result)
        {
            // Some providers authorize only now, so from here on the work ignores the caller's cancellation.
            var answer = await providers.Get(attempt.Provider).CompleteAsync(ChargeIntent.ToPaymentRequest(charge, attempt), result, CancellationToken.None);
            await outcomes.RecordAsync(attempt.Reference, answer, CancellationToken.None);
        }
        else
        {
            await resolve.ResolveAsync(charge, attempt, ct);
        }

        return await reads.GetAsync(merchant, id, ct) is { } now ? now : Refusal.NotFound(id.ToString());
    }

    private async Task<(Charge Charge, Attempt Attempt)?> FindAsync(MerchantId merchant, ChargeId id, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(ChargeSql.GetWithAttempt);
        command.Parameters.Add(new() { Value = merchant.Value });
        command.Parameters.Add(new() { Value = id.Value });
        await using var row = await command.ExecuteReaderAsync(ct);
        if (!await row.ReadAsync(ct))
            return null;
        var charge = ChargeRows.ReadCharge(row);
        return (charge, ChargeRows.ReadAttempt(row, charge, ChargeRows.ChargeWidth));
    }
}
