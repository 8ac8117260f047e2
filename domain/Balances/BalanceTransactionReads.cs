using System.Text.Json.Serialization;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;

namespace Payments.Domain.Balances;

/// <summary>A balance transaction as the API shows it. Amounts are minor units, positive in the merchant's favour.</summary>
/// <param name="Source">The object it stems from.</param>
/// <param name="Net"><paramref name="Amount"/> - <paramref name="Fee"/>.</param>
/// <param name="Status"><c>pending</c> until it is released, then <c>available</c>.</param>
/// <param name="Payout">The payout that took it.</param>
public sealed record BalanceTransactionResource(
    string Id, string Object, string Type, string Source, string Currency, long Amount, long Fee, long Net, string Status, DateOnly AvailableOn, string? Payout, DateTimeOffset CreatedAt);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(UtcTimeJson)])]
[JsonSerializable(typeof(BalanceTransactionResource))]
public sealed partial class BalanceTransactionJson : JsonSerializerContext;

/// <summary>Which balance transactions a list shows. A null or open value does not filter.</summary>
/// <param name="Source">The id of the object they stem from, as text.</param>
public sealed record BalanceTransactionFilter(BalanceTransactionType? Type = null, string? Source = null, PayoutId? Payout = null, Bounds<DateTimeOffset> Created = default);

/// <summary>
/// Reads the changes of a merchant's money, each with the object that it stems from. A merchant's key reads only the merchant's own.
/// </summary>
public sealed class BalanceTransactionReads(NpgsqlDataSource dataSource)
{
    // Finds a payout's own line by its key.
    private const string ThisPayoutAlone = "(NOT b.is_payout OR b.id = {0})";

    public async Task<BalanceTransactionResource?> GetAsync(MerchantId merchant, BalanceTransactionId id, CancellationToken ct)
    {
        await using var command = GetCommand(merchant, id);
        await using var row = await command.ExecuteReaderAsync(ct);
        return await row.ReadAsync(ct) ? Read(row) : null;
    }

    /// <summary>Newest first, starting after <paramref name="startingAfter"/>.</summary>
    public async Task<IReadOnlyList<BalanceTransactionResource>> ListAsync(
        MerchantId merchant, BalanceTransactionFilter filter, int limit, BalanceTransactionId? startingAfter, CancellationToken ct)
    {
        await using var command = ListCommand(merchant, filter, limit, startingAfter);
        var transactions = new List<BalanceTransactionResource>();
        await using var row = await command.ExecuteReaderAsync(ct);
        while (await row.ReadAsync(ct))
            transactions.Add(Read(row));
        return transactions;
    }

    internal NpgsqlCommand GetCommand(MerchantId merchant, BalanceTransactionId id) =>
        new ListQuery(BalanceSql.List, "b", merchant).Equal("id", id.Value, NpgsqlDbType.Uuid).Limit(dataSource, 1);

    internal NpgsqlCommand ListCommand(MerchantId merchant, BalanceTransactionFilter filter, int limit, BalanceTransactionId? startingAfter)
    {
        var query = new ListQuery(BalanceSql.List, "b", merchant)
            .Equal("type", filter.Type is { } type ? DbText.Of(type) : null, NpgsqlDbType.Text)
            .Equal("source_id", filter.Source, NpgsqlDbType.Text)
            .Created(filter.Created)
            .After(startingAfter?.Value);
        if (filter.Payout is { } payout)
        {
            query.Matches("b.batch_id = (SELECT p.batch_id FROM payments.payouts p WHERE p.merchant_id = $1 AND p.id = {0})", payout.Value, NpgsqlDbType.Uuid)
                .Matches(ThisPayoutAlone, payout.Value, NpgsqlDbType.Uuid);
        }

        // The index by type leaves charges out. A generic plan uses it only if the query says that the type is not charge. Likewise, the
        // query reads payouts only if the filter may mean one, and then by key.
        if (filter.Type is not (null or BalanceTransactionType.Charge))
            query.And("type <> 'charge'");
        if (filter.Source is not null && PrefixedId.TryParse<PayoutId>(filter.Source, out var source))
            query.Matches(ThisPayoutAlone, source.Value, NpgsqlDbType.Uuid);
        else if (filter.Source is not null || filter.Type is not (null or BalanceTransactionType.Payout))
            query.And("is_payout = false");
        return query.Limit(dataSource, limit);
    }

    private static BalanceTransactionResource Read(NpgsqlDataReader row) => new(
        new BalanceTransactionId(row.GetGuid(0)).ToString(), "balance_transaction", row.GetString(1), row.GetString(2), row.GetString(3), row.GetInt64(4), row.GetInt64(5), row.GetInt64(6),
        row.GetBoolean(7) ? "available" : "pending", row.GetFieldValue<DateOnly>(8), row.IsDBNull(9) ? null : new PayoutId(row.GetGuid(9)).ToString(), row.GetFieldValue<DateTimeOffset>(10));
}
