using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Charges;
using Payments.Domain.Database;

namespace Payments.Domain.Refunds;

/// <summary>Reads refunds, always of one merchant.</summary>
public sealed class RefundReads(NpgsqlDataSource dataSource)
{
    public async Task<Refund?> GetAsync(MerchantId merchant, RefundId id, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(ChargeSql.GetRefund);
        command.Parameters.Add(new() { Value = merchant.Value });
        command.Parameters.Add(new() { Value = id.Value });
        await using var row = await command.ExecuteReaderAsync(ct);
        return await row.ReadAsync(ct) ? Read(row, merchant) : null;
    }

    /// <summary>Newest first, starting after <paramref name="startingAfter"/>. Only of one charge or status if given.</summary>
    public async Task<IReadOnlyList<Refund>> ListAsync(MerchantId merchant, int limit, RefundId? startingAfter, ChargeId? charge, RefundStatus? status, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(ChargeSql.ListRefunds);
        command.Parameters.Add(new() { Value = merchant.Value });
        command.Parameters.Add(new() { Value = (object?)startingAfter?.Value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Uuid });
        command.Parameters.Add(new() { Value = (object?)charge?.Value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Uuid });
        command.Parameters.Add(new() { Value = status is { } s ? DbText.Of(s) : DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text });
        command.Parameters.Add(new() { Value = limit });
        var refunds = new List<Refund>();
        await using var row = await command.ExecuteReaderAsync(ct);
        while (await row.ReadAsync(ct))
            refunds.Add(Read(row, merchant));
        return refunds;
    }

    private static Refund Read(NpgsqlDataReader row, MerchantId merchant) =>
        ChargeRows.ReadRefund(row, merchant, new ChargeId(row.GetGuid(ChargeRows.RefundWidth)), Currency.Of(row.GetString(ChargeRows.RefundWidth + 1)), 0)!;
}
