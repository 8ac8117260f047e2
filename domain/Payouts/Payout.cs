using Npgsql;
using Payments.Domain.Database;

namespace Payments.Domain.Payouts;

public readonly record struct BankAccountId(Guid Value) : IPrefixedId<BankAccountId>
{
    public static string Prefix => "ba_";

    public static BankAccountId From(Guid value) => new(value);

    public override string ToString() => PrefixedId.Format(this);
}

public readonly record struct PayoutRunId(Guid Value) : IPrefixedId<PayoutRunId>
{
    public static string Prefix => "prun_";

    public static PayoutRunId From(Guid value) => new(value);

    public override string ToString() => PrefixedId.Format(this);
}

/// <summary>How payouts get to the bank.</summary>
public enum PayoutRail
{
    /// <summary>The bank API of the sandbox acquirer, one call each.</summary>
    Sandbox,

    /// <summary>Files in the blob container <c>payout-files</c>: pain.001 for EUR, NACHA for USD.</summary>
    File,
}

public static class PayoutRails
{
    /// <summary>
    /// Whether a payout on this rail can reach an account in the country. Only SEPA has borders: it carries EUR payouts in files and
    /// instant EUR payouts. The bank's API takes standard payouts to any IBAN.
    /// </summary>
    /// <param name="country">The country of the IBAN; null for a US account.</param>
    public static bool Reaches(PayoutRail rail, PayoutMethod method, Currency currency, string? country) =>
        currency != Currency.Eur || country is null || (rail == PayoutRail.Sandbox && method == PayoutMethod.Standard)
            || SepaArea.Contains(country);
}

public enum PayoutMethod
{
    Standard,
    Instant,
}

/// <summary>Money on its way from a merchant's available balance to its bank account.</summary>
public sealed record Payout(
    MerchantId Merchant,
    PayoutId Id,
    PayoutRunId? Run,
    PayoutStatus Status,
    Money Amount,
    BankAccountId BankAccount,
    PayoutRail Rail,
    PayoutMethod Method,
    int? Trace,
    string? ProviderReference,
    string? FailureCode,
    string? FailureMessage,
    DateOnly ArrivalDate,
    DateTimeOffset? SubmissionStartedAt,
    DateTimeOffset CreatedAt,
    DateTimeOffset UpdatedAt,
    int Entry = 0)
{
    /// <summary>The bank's reason for holding the payout, such as <c>RVNM</c>. Null when the bank does not hold it.</summary>
    public string? HoldCode { get; init; }

    public string? HoldMessage { get; init; }

    /// <summary>
    /// Whether a run made the payout for the merchant. A payout that the merchant requested is not automatic, even if a run's files carry
    /// it.
    /// </summary>
    public bool IsAutomatic => Run is not null && Entry == 0;

    /// <summary>
    /// The payout's reference at the bank's API. It names the merchant and the payout, so every report about it finds the row.
    /// </summary>
    public string Reference => PayoutReference.Of(Merchant, Id);

    internal static Payout Read(NpgsqlDataReader row) => new(
        new MerchantId(row.GetGuid(0)),
        new PayoutId(row.GetGuid(1)),
        row.IsDBNull(2) ? null : new PayoutRunId(row.GetGuid(2)),
        DbText.Parse<PayoutStatus>(row.GetString(3)),
        new Money(row.GetInt64(5), Currency.Of(row.GetString(4))),
        new BankAccountId(row.GetGuid(6)),
        DbText.Parse<PayoutRail>(row.GetString(7)),
        DbText.Parse<PayoutMethod>(row.GetString(8)),
        row.IsDBNull(9) ? null : row.GetInt32(9),
        row.IsDBNull(10) ? null : row.GetString(10),
        row.IsDBNull(11) ? null : row.GetString(11),
        row.IsDBNull(12) ? null : row.GetString(12),
        row.GetFieldValue<DateOnly>(13),
        row.IsDBNull(14) ? null : row.GetFieldValue<DateTimeOffset>(14),
        row.GetFieldValue<DateTimeOffset>(15),
        row.GetFieldValue<DateTimeOffset>(16),
        row.GetInt16(17))
    {
        HoldCode = row.IsDBNull(18) ? null : row.GetString(18),
        HoldMessage = row.IsDBNull(19) ? null : row.GetString(19),
    };
}

/// <summary>The reference of a payout at the bank's API: <c>pf_{merchant}_{payout}</c>, hexadecimal.</summary>
public static class PayoutReference
{
    public static string Of(MerchantId merchant, PayoutId payout) => $"pf_{merchant.Value:N}_{payout.Value:N}";

    public static bool TryParse(string? text, out MerchantId merchant, out PayoutId payout)
    {
        (merchant, payout) = (default, default);
        if (text is not { Length: 68 } || !text.StartsWith("pf_", StringComparison.Ordinal) || text[35] != '_'
            || !Guid.TryParseExact(text.AsSpan(3, 32), "N", out var m) || !Guid.TryParseExact(text.AsSpan(36, 32), "N", out var p))
        {
            return false;
        }

        (merchant, payout) = (new MerchantId(m), new PayoutId(p));
        return true;
    }
}
