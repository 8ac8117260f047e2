namespace Payments.Acquirer;

internal enum PayoutStatus
{
    Pending,
    InTransit,
    Paid,
    Failed,
    Returned,
}

/// <summary>Where a payout goes. <c>token</c> decides its fate; without one, the last four digits of the number do.</summary>
internal sealed record BankAccount(string? Token, string? Iban, string? Bic, string? RoutingNumber, string? AccountNumber, string? HolderName, string? Country);

/// <summary>A credit transfer to a bank account.</summary>
internal sealed class Payout(Guid key, JournalEntry created)
{
    public Guid Key { get; } = key;
    public string Id => Ids.Text(Ids.Payout, Key);
    public string Reference { get; } = created.Reference!;
    public long Amount { get; } = created.Amount!.Value;
    public string Currency { get; } = string.Intern(created.Currency!);
    public string Token { get; } = string.Intern(created.Token!);
    public string? StatementDescriptor { get; } = created.StatementDescriptor;
    public string? AccountEnding { get; } = Last4(created.BankAccount);
    public bool Instant { get; } = created.Instant == true;
    public DateTime CreatedAt { get; } = created.At;
    public PayoutStatus Status { get; set; } = PayoutStatus.Pending;
    public string? FailureCode { get; set; }

    private static string? Last4(BankAccount? account) =>
        (account?.Iban ?? account?.AccountNumber) is { Length: >= 4 } number ? number[^4..] : null;
}

internal static class PayoutTransitions
{
    /// <summary>A paid payout can come back days later; a failed or returned one is over.</summary>
    public static bool Allows(PayoutStatus from, PayoutStatus to) => from switch
    {
        PayoutStatus.Pending => to is PayoutStatus.InTransit or PayoutStatus.Paid or PayoutStatus.Failed,
        PayoutStatus.InTransit => to is PayoutStatus.Paid or PayoutStatus.Failed or PayoutStatus.Returned,
        PayoutStatus.Paid => to is PayoutStatus.Returned or PayoutStatus.Failed,
        PayoutStatus.Failed or PayoutStatus.Returned => false,
    };
}
