using Npgsql;

namespace Payments.Domain.Charges;

/// <summary>
/// The customer is back from 3-D Secure: asks the provider how the authentication ended, by the same rules as its webhook and the resolver. Nothing
/// is sent, so asking again is safe at any time.
/// </summary>
public sealed class CompleteCharge(NpgsqlDataSource dataSource, ChargeReads reads, ResolveAttempts resolve)
{
    /// <returns>The charge as it stands now: it still requires action when the customer is not done.</returns>
    public async Task<Result<Charge>> HandleAsync(MerchantId merchant, ChargeId id, CancellationToken ct)
    {
        if (await FindAsync(merchant, id, ct) is not var (charge, attempt))
            return Refusal.NotFound(id.ToString());
        if (attempt.IsSettled)
            return charge;
        await resolve.ResolveAsync(charge, attempt, ct);
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
