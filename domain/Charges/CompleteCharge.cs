using Npgsql;
using Payments.Domain.Providers;

namespace Payments.Domain.Charges;

/// <param name="Result">What the processor appended to the return address, where it finishes a payment only with that (Adyen's <c>redirectResult</c>).</param>
public sealed record CompleteChargeRequest(string? Result);

/// <summary>
/// The customer is back from 3-D Secure: asks the provider how the authentication ended, by the same rules as its webhook and the resolver. Nothing
/// is sent, so asking again is safe at any time.
/// </summary>
public sealed class CompleteCharge(NpgsqlDataSource dataSource, ChargeReads reads, ResolveAttempts resolve, PaymentProviders providers, AttemptOutcomes outcomes)
{
    /// <returns>The charge as it stands now: it still requires action when the customer is not done.</returns>
    public async Task<Result<Charge>> HandleAsync(MerchantId merchant, ChargeId id, CompleteChargeRequest request, CancellationToken ct)
    {
        if (request.Result is { Length: 0 or > 8000 })
            return Refusal.Invalid("result", "`result` must hold the 1 to 8000 characters that the provider appended to the return URL.");
        if (await FindAsync(merchant, id, ct) is not var (charge, attempt))
            return Refusal.NotFound(id.ToString());

        // While the call that takes the charge runs, its answer is the one to wait for.
        if (attempt.IsSettled || charge.Status is ChargeStatus.Pending)
            return charge;
        if (request.Result is { } result)
        {
            // Some processors authorize only now: from here on the caller's going away must not stop the work.
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
