using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;

namespace Payments.Domain.Charges;

/// <summary>Reads charges. A merchant's key reads only that merchant's.</summary>
public sealed class ChargeReads(NpgsqlDataSource dataSource)
{
    public async Task<Charge?> GetAsync(MerchantId merchant, ChargeId id, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(ChargeSql.Get);
        command.Parameters.Add(new() { Value = merchant.Value });
        command.Parameters.Add(new() { Value = id.Value });
        await using var row = await command.ExecuteReaderAsync(ct);
        return await row.ReadAsync(ct) ? ChargeRows.ReadCharge(row) : null;
    }

    /// <summary>Newest first, from behind <paramref name="startingAfter"/>.</summary>
    public async Task<IReadOnlyList<Charge>> ListAsync(MerchantId merchant, int limit, ChargeId? startingAfter, ChargeStatus? status, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(ChargeSql.List);
        command.Parameters.Add(new() { Value = merchant.Value });
        command.Parameters.Add(new() { Value = (object?)startingAfter?.Value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Uuid });
        command.Parameters.Add(new() { Value = status is { } s ? DbText.Of(s) : DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text });
        command.Parameters.Add(new() { Value = limit });
        var charges = new List<Charge>();
        await using var row = await command.ExecuteReaderAsync(ct);
        while (await row.ReadAsync(ct))
            charges.Add(ChargeRows.ReadCharge(row));
        return charges;
    }
}
