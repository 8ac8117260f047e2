using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;

namespace Payments.Domain.Pricing;

/// <summary>
/// The volume that merchants capture in a calendar month, in each currency, over all payment methods. Months are UTC, by the effective time
/// of the capture. Refunds do not lower the volume. One object belongs to one transaction: it locks the months whose volume decides a
/// price, counts the captures, and writes them with the rest.
/// </summary>
/// <remarks>
/// Lock order: months that decide a price, accounts of the ledger, all other months. Every instance puts a merchant's month into the same
/// class, so all take the locks in this order. Only in the second in which a plan with tiers takes effect may two instances disagree.
/// Postgres then ends the deadlock, and the batch is tried again.
/// </remarks>
public sealed class MonthlyVolumes
{
    private readonly Dictionary<(MerchantId Merchant, Currency Currency, DateOnly Month), (long Before, long Added, long Captures)> _volumes = [];

    public static DateOnly MonthOf(DateTimeOffset time)
    {
        var utc = time.UtcDateTime;
        return new DateOnly(utc.Year, utc.Month, 1);
    }

    /// <summary>Locks the month's volume of each merchant and currency, and loads it.</summary>
    public async Task LockAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyCollection<(MerchantId Merchant, Currency Currency)> priced, DateTimeOffset now, CancellationToken ct)
    {
        if (priced.Count == 0)
            return;
        var month = MonthOf(now);
        var rows = priced.Distinct().ToArray();
        await using var command = new NpgsqlCommand(PricingSql.LockVolumes, connection, transaction)
        {
            Parameters =
            {
                Columns.Of(rows, r => r.Merchant.Value, NpgsqlDbType.Uuid), Columns.Of(rows, r => r.Currency.Code, NpgsqlDbType.Text), Columns.Of(rows, _ => month, NpgsqlDbType.Date),
            },
        };
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
            _volumes[(new MerchantId(reader.GetGuid(0)), Currency.Of(reader.GetString(1)), reader.GetFieldValue<DateOnly>(2))] = (reader.GetInt64(3), 0, 0);
    }

    /// <summary>
    /// The volume before the next capture: the stored volume, if it was locked, plus the captures that were counted since.
    /// </summary>
    public long Before(MerchantId merchant, Currency currency, DateTimeOffset now) =>
        _volumes.TryGetValue((merchant, currency, MonthOf(now)), out var volume) ? volume.Before + volume.Added : 0;

    /// <summary>Counts a capture.</summary>
    public void Add(MerchantId merchant, Money captured, DateTimeOffset now)
    {
        var key = (merchant, captured.Currency, MonthOf(now));
        _volumes.TryGetValue(key, out var volume);
        _volumes[key] = (volume.Before, checked(volume.Added + captured.MinorUnits), volume.Captures + 1);
    }

    /// <summary>The statement that adds what was counted; null if nothing was. Add it to the batch that ends the transaction.</summary>
    public NpgsqlBatchCommand? Write()
    {
        var rows = _volumes.Where(volume => volume.Value.Captures > 0).ToArray();
        return rows.Length == 0
            ? null
            : new NpgsqlBatchCommand(PricingSql.AddVolumes)
            {
                Parameters =
                {
                    Columns.Of(rows, r => r.Key.Merchant.Value, NpgsqlDbType.Uuid),
                    Columns.Of(rows, r => r.Key.Currency.Code, NpgsqlDbType.Text),
                    Columns.Of(rows, r => r.Key.Month, NpgsqlDbType.Date),
                    Columns.Of(rows, r => r.Value.Added, NpgsqlDbType.Bigint),
                    Columns.Of(rows, r => r.Value.Captures, NpgsqlDbType.Bigint),
                },
            };
    }

    /// <summary>What a merchant has captured in the month of a time, for quotes.</summary>
    public static async Task<long> ReadAsync(NpgsqlDataSource dataSource, MerchantId merchant, Currency currency, DateTimeOffset time, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(PricingSql.Volume);
        command.Parameters.Add(new() { Value = merchant.Value });
        command.Parameters.Add(new() { Value = currency.Code });
        command.Parameters.Add(new() { Value = MonthOf(time) });
        return await command.ExecuteScalarAsync(ct) is long volume ? volume : 0;
    }
}
