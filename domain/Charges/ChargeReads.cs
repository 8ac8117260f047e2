using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;

namespace Payments.Domain.Charges;

/// <summary>The filters of a list of charges. A null or open filter matches every charge.</summary>
/// <param name="Customer">The merchant's reference of the customer, exactly as the charge has it.</param>
/// <param name="Amount">Minor units of the charges' currencies.</param>
public sealed record ChargeFilter(ChargeStatus? Status = null, string? Customer = null, Currency? Currency = null, Bounds<long> Amount = default, Bounds<DateTimeOffset> Created = default);

/// <summary>Reads charges, always of one merchant.</summary>
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

    /// <summary>Newest first, starting after <paramref name="startingAfter"/>.</summary>
    public async Task<IReadOnlyList<Charge>> ListAsync(MerchantId merchant, ChargeFilter filter, int limit, ChargeId? startingAfter, CancellationToken ct)
    {
        await using var command = ListCommand(merchant, filter, limit, startingAfter);
        var charges = new List<Charge>();
        await using var row = await command.ExecuteReaderAsync(ct);
        while (await row.ReadAsync(ct))
            charges.Add(ChargeRows.ReadCharge(row));
        return charges;
    }

    internal NpgsqlCommand ListCommand(MerchantId merchant, ChargeFilter filter, int limit, ChargeId? startingAfter) =>
        new ListQuery(ChargeSql.List, "c", merchant)
            .Equal("status", filter.Status is { } status ? DbText.Of(status) : null, NpgsqlDbType.Text)
            .Equal("customer", filter.Customer, NpgsqlDbType.Text)
            .Equal("currency", filter.Currency?.Code, NpgsqlDbType.Text)
            .Within("amount", filter.Amount)
            .Created(filter.Created)
            .After(startingAfter?.Value)
            .Limit(dataSource, limit);
}
