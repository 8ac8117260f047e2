using Npgsql;
using Payments.Domain.Database;

namespace Payments.Domain.Payouts;

/// <summary>A merchant's bank account and whether it may be used.</summary>
/// <param name="Corrects">The account whose details the receiving bank corrected, with the code of its notification of change.</param>
public sealed record BankAccount(
    BankAccountId Id, BankAccountDetails Details, BankAccountState State, string? FailureCode, bool Verified, DateTimeOffset UsableFrom,
    BankAccountId? Corrects = null, string? CorrectionCode = null)
{
    internal static BankAccount Read(NpgsqlDataReader row, int at) => new(
        new BankAccountId(row.GetGuid(at)),
        BankAccountDetails.Stored(
            DbText.Parse<BankAccountKind>(row.GetString(at + 1)), row.GetString(at + 2), Text(row, at + 3), Text(row, at + 4), Text(row, at + 5), Text(row, at + 6),
            row.IsDBNull(at + 7) ? default : DbText.Parse<UsAccountType>(row.GetString(at + 7))),
        DbText.Parse<BankAccountState>(row.GetString(at + 8)),
        Text(row, at + 9),
        row.GetBoolean(at + 10),
        row.GetFieldValue<DateTimeOffset>(at + 11),
        row.IsDBNull(at + 12) ? null : new BankAccountId(row.GetGuid(at + 12)),
        Text(row, at + 13));

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
