using System.Diagnostics.CodeAnalysis;

namespace Payments.Domain.Payouts;

public enum BankAccountKind
{
    Iban,
    Us,
}

public enum UsAccountType
{
    Checking,
    Savings,
}

/// <summary>What is wrong with bank details. Each names the field it is about.</summary>
public enum BankAccountProblem
{
    HolderNameMissing,
    HolderNameTooLong,
    IbanInvalid,
    BicInvalid,
    RoutingNumberInvalid,
    AccountNumberInvalid,
    /// <summary>USD is paid to a US account, and every other currency to an IBAN.</summary>
    KindDoesNotFitCurrency,
}

/// <summary>Valid bank details of a merchant: an IBAN with an optional BIC, or a US routing and account number.</summary>
public sealed record BankAccountDetails
{
    private BankAccountDetails(BankAccountKind kind, string holderName)
    {
        Kind = kind;
        HolderName = holderName;
    }

    public BankAccountKind Kind { get; }

    public string HolderName { get; }

    public string? Iban { get; private init; }

    public string? Bic { get; private init; }

    public string? RoutingNumber { get; private init; }

    public string? AccountNumber { get; private init; }

    public UsAccountType AccountType { get; private init; }

    /// <summary>The holder's address; null if none was given.</summary>
    public PostalAddress? Address { get; init; }

    /// <summary>The number that money is sent to. Two details with the same number are the same account.</summary>
    public string Number => Iban ?? $"{RoutingNumber}/{AccountNumber}";

    /// <summary>The country of the IBAN; null for a US account.</summary>
    public string? Country => Iban?[..2];

    /// <summary>The last four characters, which is all of the number that responses and events show.</summary>
    public string Last4 => (Iban ?? AccountNumber!)[^4..];

    public static bool TryCreateIban(string? holderName, string? iban, string? bic, [NotNullWhen(true)] out BankAccountDetails? details, out BankAccountProblem? problem)
    {
        details = null;
        problem = HolderProblem(holderName);
        if (problem is not null)
        {
            return false;
        }

        if (!Payouts.Iban.TryParse(iban, out var electronic))
        {
            problem = BankAccountProblem.IbanInvalid;
            return false;
        }

        var code = bic is not null && PastedText.WithoutBlanks(bic) is { Length: > 0 } given ? given.ToUpperInvariant() : null;
        if (code is not null && !IsBic(code))
        {
            problem = BankAccountProblem.BicInvalid;
            return false;
        }

        details = new BankAccountDetails(BankAccountKind.Iban, holderName!.Trim()) { Iban = electronic, Bic = code };
        return true;
    }

    public static bool TryCreateUs(
        string? holderName,
        string? routingNumber,
        string? accountNumber,
        UsAccountType type,
        [NotNullWhen(true)] out BankAccountDetails? details,
        out BankAccountProblem? problem)
    {
        details = null;
        routingNumber = routingNumber is null ? null : PastedText.WithoutBlanks(routingNumber);
        accountNumber = accountNumber is null ? null : PastedText.WithoutBlanks(accountNumber);
        problem = HolderProblem(holderName)
            ?? (!AbaRoutingNumber.IsValid(routingNumber) ? BankAccountProblem.RoutingNumberInvalid
                : !IsUsAccountNumber(accountNumber) ? BankAccountProblem.AccountNumberInvalid
                : null);
        if (problem is not null)
        {
            return false;
        }

        details = new BankAccountDetails(BankAccountKind.Us, holderName!.Trim())
        {
            RoutingNumber = routingNumber,
            AccountNumber = accountNumber,
            AccountType = type,
        };
        return true;
    }

    /// <summary>Details that were checked when they were stored.</summary>
    internal static BankAccountDetails Stored(
        BankAccountKind kind, string holderName, string? iban, string? bic, string? routingNumber, string? accountNumber,
            UsAccountType type,
        PostalAddress? address = null) => new(kind, holderName)
        {
            Iban = iban,
            Bic = bic,
            RoutingNumber = routingNumber,
            AccountNumber = accountNumber,
            AccountType = type,
            Address = address,
        };

    /// <summary>Whether a payout in the currency can be sent to such an account.</summary>
    public static bool Fits(BankAccountKind kind, Currency currency) => kind switch
    {
        BankAccountKind.Iban => currency.Code != "USD",
        BankAccountKind.Us => currency.Code == "USD",
    };

    private static BankAccountProblem? HolderProblem(string? name) =>
        string.IsNullOrWhiteSpace(name) ? BankAccountProblem.HolderNameMissing
        : name.Trim().Length > 140 ? BankAccountProblem.HolderNameTooLong
        : null;

    // ISO 9362: four of the institution, two of the country, two of the location and optionally three of the branch.
    private static bool IsBic(string bic) =>
        bic.Length is 8 or 11
        && bic.All(char.IsAsciiLetterOrDigit)
        && bic.AsSpan(4, 2).IndexOfAnyExceptInRange('A', 'Z') < 0;

    // A NACHA entry has 17 characters for the number, and banks use only digits.
    private static bool IsUsAccountNumber(string? number) => number is { Length: >= 4 and <= 17 } && number.All(char.IsAsciiDigit);
}
