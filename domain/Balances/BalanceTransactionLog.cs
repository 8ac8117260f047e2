using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;

namespace Payments.Domain.Balances;

/// <summary>Writes balance transactions, many at a time, in the transaction of the journals they belong to.</summary>
public static class BalanceTransactionLog
{
    /// <summary>The statement that appends all of <paramref name="transactions"/>. Add it to the batch that ends a unit of work.</summary>
    public static NpgsqlBatchCommand Append(IReadOnlyList<BalanceTransaction> transactions) => new(BalanceSql.Append)
    {
        Parameters =
        {
            Columns.Of(transactions, t => t.Merchant.Value, NpgsqlDbType.Uuid),
            Columns.Of(transactions, t => t.Id.Value, NpgsqlDbType.Uuid),
            Columns.Of(transactions, t => DbText.Of(t.Type), NpgsqlDbType.Text),
            Columns.Of(transactions, t => t.SourceId, NpgsqlDbType.Text),
            Columns.Of(transactions, t => t.JournalKey, NpgsqlDbType.Text),
            Columns.Of(transactions, t => t.Amount.Currency.Code, NpgsqlDbType.Text),
            Columns.Of(transactions, t => t.Amount.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(transactions, t => t.Fee.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(transactions, t => t.AvailableOn, NpgsqlDbType.Date),
            Columns.Of(transactions, t => t.ReleasedAt?.ToUniversalTime(), NpgsqlDbType.TimestampTz),
            Columns.Of(transactions, t => t.Batch?.Value, NpgsqlDbType.Uuid),
            Columns.Of(transactions, t => t.CreatedAt.ToUniversalTime(), NpgsqlDbType.TimestampTz),
        },
    };
}
