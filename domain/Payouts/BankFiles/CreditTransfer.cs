namespace Payments.Domain.Payouts.BankFiles;

/// <summary>One payment of a bank file.</summary>
/// <param name="Trace">The running number of the entry at our bank: the last seven digits of a NACHA trace number. Unused in ISO 20022.</param>
public sealed record CreditTransfer(PayoutId Id, Money Amount, BankAccountDetails Account, long Trace);

/// <summary>
/// A planned file without its entries. All of it is stored when the file is planned, so that writing the file again yields the same bytes.
/// </summary>
/// <param name="Id">Makes the message identification of the file.</param>
/// <param name="CreatedAt">When it was planned, UTC.</param>
/// <param name="ExecutionDate">The business day on which the bank pays.</param>
/// <param name="Count">The number of entries. A writer that gets another number throws.</param>
/// <param name="Total">The sum of the entries. A writer that gets another sum throws.</param>
/// <param name="Modifier">Distinguishes the NACHA files of one day, from 0 to 35. Unused in ISO 20022.</param>
/// <param name="Ascending">
/// Whether the trace numbers of the entries ascend, as the Nacha rules require. False only for files that were planned before the app
/// ordered them. Those files keep their order when they are written again.
/// </param>
public sealed record BankFileHead(Guid Id, DateTimeOffset CreatedAt, DateOnly ExecutionDate, int Count, Money Total, int Modifier,
    bool Ascending = true);

/// <summary>The reference of a payout in bank files: characters that both formats allow, no more than 35.</summary>
public static class EndToEndId
{
    public const int Length = 34;

    private const string Prefix = "PO";

    public static string Of(PayoutId payout) => Prefix + payout.Value.ToString("N");

    public static bool TryParse(string? text, out PayoutId payout)
    {
        payout = default;
        if (text is null || !text.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) || !Guid.TryParseExact(text.AsSpan(Prefix.Length), "N", out var value))
        {
            return false;
        }

        payout = new PayoutId(value);
        return true;
    }
}
