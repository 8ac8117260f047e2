using System.Text.Json;
using Npgsql;
using Payments.Domain.Database;

namespace Payments.Domain.Payouts;

/// <summary>A merchant's bank account and whether it may be used.</summary>
/// <param name="Payee">What the bank answered about the holder; null if the app did not ask.</param>
/// <param name="InstantReachable">Whether instant payments reach the account; null if unknown.</param>
/// <param name="Corrects">The account that this one corrects, after the receiving bank sent a notification of change.</param>
public sealed record BankAccount(
    BankAccountId Id, BankAccountDetails Details, BankAccountState State, string? FailureCode, bool Verified, DateTimeOffset UsableFrom,
    PayeeCheck? Payee = null, bool? InstantReachable = null, BankAccountId? Corrects = null, string? CorrectionCode = null)
{
    internal static BankAccount Read(NpgsqlDataReader row, int at) => new(
        new BankAccountId(row.GetGuid(at)),
        BankAccountDetails.Stored(
            DbText.Parse<BankAccountKind>(row.GetString(at + 1)), row.GetString(at + 2), Text(row, at + 3), Text(row, at + 4), Text(row, at + 5), Text(row, at + 6),
            row.IsDBNull(at + 7) ? default : DbText.Parse<UsAccountType>(row.GetString(at + 7)), Address(row, at + 12)),
        DbText.Parse<BankAccountState>(row.GetString(at + 8)),
        Text(row, at + 9),
        row.GetBoolean(at + 10),
        row.GetFieldValue<DateTimeOffset>(at + 11),
        row.IsDBNull(at + 13) ? null
            : new PayeeCheck(DbText.Parse<PayeeResult>(row.GetString(at + 13)), row.GetFieldValue<DateTimeOffset>(at + 14),
                Text(row, at + 15), row.GetBoolean(at + 16)),
        row.IsDBNull(at + 17) ? null : row.GetBoolean(at + 17),
        row.IsDBNull(at + 18) ? null : new BankAccountId(row.GetGuid(at + 18)),
        Text(row, at + 19));

    internal static PostalAddress? Address(NpgsqlDataReader row, int at) =>
        row.IsDBNull(at) ? null : JsonSerializer.Deserialize(row.GetString(at), PayoutJson.Default.PostalAddress);

    private static string? Text(NpgsqlDataReader row, int at) => row.IsDBNull(at) ? null : row.GetString(at);
}

internal static class BankAccounts
{
    public static async Task<BankAccount?> GetAsync(NpgsqlConnection connection, MerchantId merchant, BankAccountId id, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(PayoutSettingsSql.GetAccount, connection) { Parameters = { new() { Value = merchant.Value }, new() { Value = id.Value } } };
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await reader.ReadAsync(ct) ? BankAccount.Read(reader, 0) : null;
    }
}
