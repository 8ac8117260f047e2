using System.Text.Json;
using Npgsql;
using NpgsqlTypes;

namespace Payments.Domain.Balances;

/// <summary>Writes balance transactions, many at a time, in the transaction of the journals they belong to.</summary>
public static class BalanceTransactionLog
{
    /// <summary>The statement that appends all of <paramref name="transactions"/>; add it to the batch that ends a unit of work.</summary>
    public static NpgsqlBatchCommand Append(IReadOnlyList<BalanceTransaction> transactions) => new(BalanceSql.Append)
    {
        Parameters =
        {
            Array(transactions, t => t.Merchant.Value, NpgsqlDbType.Uuid),
            Array(transactions, t => t.Id.Value, NpgsqlDbType.Uuid),
            Array(transactions, t => JsonNamingPolicy.SnakeCaseLower.ConvertName(t.Type.ToString()), NpgsqlDbType.Text),
            Array(transactions, t => t.SourceId, NpgsqlDbType.Text),
            Array(transactions, t => t.JournalKey, NpgsqlDbType.Text),
            Array(transactions, t => t.Amount.Currency.Code, NpgsqlDbType.Text),
            Array(transactions, t => t.Amount.MinorUnits, NpgsqlDbType.Bigint),
            Array(transactions, t => t.Fee.MinorUnits, NpgsqlDbType.Bigint),
            Array(transactions, t => t.AvailableOn, NpgsqlDbType.Date),
            Array(transactions, t => t.ReleasedAt?.ToUniversalTime(), NpgsqlDbType.TimestampTz),
            Array(transactions, t => t.Payout?.Value, NpgsqlDbType.Uuid),
            Array(transactions, t => t.CreatedAt.ToUniversalTime(), NpgsqlDbType.TimestampTz),
        },
    };

    private static NpgsqlParameter Array<T>(IReadOnlyList<BalanceTransaction> transactions, Func<BalanceTransaction, T> column, NpgsqlDbType type) => new()
    {
        Value = transactions.Select(column).ToArray(),
        NpgsqlDbType = NpgsqlDbType.Array | type,
    };
}
