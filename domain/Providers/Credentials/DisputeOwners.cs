using Npgsql;

namespace Payments.Domain.Providers.Credentials;

/// <summary>Finds the merchant of a dispute that a provider names. The response is sent with that merchant's credentials.</summary>
public sealed class DisputeOwners(NpgsqlDataSource dataSource)
{
    public async Task<(MerchantId Merchant, DisputeId Dispute)?> FindAsync(string provider, string providerDisputeId, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand("SELECT merchant_id, id FROM payments.disputes WHERE provider_dispute_id = $1 AND provider = $2");
        command.Parameters.Add(new() { Value = providerDisputeId });
        command.Parameters.Add(new() { Value = provider });
        await using var row = await command.ExecuteReaderAsync(ct);
        return await row.ReadAsync(ct) ? (new MerchantId(row.GetGuid(0)), new DisputeId(row.GetGuid(1))) : null;
    }
}
