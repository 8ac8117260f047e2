using System.Text.Json;
using Npgsql;
using Payments.Domain.Database;
using Payments.Domain.Pricing;
using Payments.Domain.Providers;
using Payments.Domain.Refunds;

namespace Payments.Domain.Charges;

/// <summary>Reads rows whose columns are in the order of <see cref="ChargeSql"/>.</summary>
internal static class ChargeRows
{
    public const int ChargeWidth = 29;
    public const int AttemptWidth = 17;
    public const int RefundWidth = 11;

    public static Charge ReadCharge(NpgsqlDataReader row)
    {
        var currency = Currency.Of(row.GetString(3));
        return new Charge(
            new MerchantId(row.GetGuid(0)),
            new ChargeId(row.GetGuid(1)),
            DbText.Parse<ChargeStatus>(row.GetString(2)),
            new Money(row.GetInt64(4), currency),
            DbText.Parse<CaptureMethod>(row.GetString(5)),
            new Money(row.GetInt64(6), currency),
            new Money(row.GetInt64(7), currency),
            new Money(row.GetInt64(8), currency),
            new Money(row.GetInt64(9), currency),
            new Money(row.GetInt64(10), currency),
            new Money(row.GetInt64(11), currency),
            new Money(row.GetInt64(12), currency),
            row.GetString(13),
            row.GetString(14),
            Text(row, 15),
            Decline(row, 16),
            Text(row, 17),
            Text(row, 18) is { } card ? JsonSerializer.Deserialize(card, ChargeJson.Default.CardDetails) : null,
            Text(row, 19),
            Text(row, 20),
            Text(row, 21),
            row.GetString(22),
            Time(row, 23)!.Value,
            Time(row, 24)!.Value,
            Time(row, 25))
        {
            Canceling = new Money(row.GetInt64(26), currency),
            FeeDetails = PricingJson.ReadDetails(Text(row, 27)),
            FeeReturned = new Money(row.GetInt64(28), currency),
        };
    }

    public static Attempt ReadAttempt(NpgsqlDataReader row, Charge charge, int at) => new(
        charge.Merchant,
        new AttemptId(row.GetGuid(at)),
        charge.Id,
        row.IsDBNull(at + 1) ? null : new RefundId(row.GetGuid(at + 1)),
        DbText.Parse<PaymentOperation>(row.GetString(at + 2)),
        DbText.Parse<AttemptStatus>(row.GetString(at + 3)),
        row.GetString(at + 4),
        new Money(row.GetInt64(at + 5), charge.Currency),
        Text(row, at + 6),
        Decline(row, at + 7),
        Text(row, at + 8),
        row.GetInt32(at + 9),
        Time(row, at + 10),
        Time(row, at + 11)!.Value,
        Time(row, at + 12))
    {
        Released = new Money(row.GetInt64(at + 13), charge.Currency),
        IsExpiry = row.GetBoolean(at + 14),
        OverdueAt = Time(row, at + 15),
        MadeElsewhere = row.GetBoolean(at + 16),
    };

    public static Refund? ReadRefund(NpgsqlDataReader row, Charge charge, int at) => ReadRefund(row, charge.Merchant, charge.Id, charge.Currency, at);

    public static Refund? ReadRefund(NpgsqlDataReader row, MerchantId merchant, ChargeId charge, Currency currency, int at) => row.IsDBNull(at)
        ? null
        : new Refund(
            merchant,
            new RefundId(row.GetGuid(at)),
            charge,
            DbText.Parse<RefundStatus>(row.GetString(at + 1)),
            new Money(row.GetInt64(at + 2), currency),
            Text(row, at + 3) is { } reason ? DbText.Parse<RefundReason>(reason) : null,
            Text(row, at + 4),
            Text(row, at + 5),
            row.GetString(at + 6),
            Time(row, at + 7)!.Value,
            Time(row, at + 8)!.Value)
        {
            FeeReturned = new Money(row.GetInt64(at + 9), currency),
            MadeElsewhere = row.GetBoolean(at + 10),
        };

    private static string? Text(NpgsqlDataReader row, int at) => row.IsDBNull(at) ? null : row.GetString(at);

    private static DeclineCode? Decline(NpgsqlDataReader row, int at) => row.IsDBNull(at) ? null : DbText.Parse<DeclineCode>(row.GetString(at));

    private static DateTimeOffset? Time(NpgsqlDataReader row, int at) => row.IsDBNull(at) ? null : row.GetFieldValue<DateTimeOffset>(at);
}
