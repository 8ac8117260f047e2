using System.Diagnostics.CodeAnalysis;

namespace Payments.Domain.Payouts.BankFiles;

/// <summary>The fields of a US account that the receiving bank corrects. A null field stays as it is.</summary>
public sealed record AccountChange(string? RoutingNumber = null, string? AccountNumber = null, UsAccountType? AccountType = null,
    string? HolderName = null);

/// <summary>
/// Reads the corrected data of notifications of change (Nacha Operating Rules, appendix five). The data has 29 columns, and the code
/// decides their meaning.
/// </summary>
public static class NotificationOfChange
{
    private const int Width = 29;

    /// <summary>
    /// Whether the code corrects the receiver's account. Other codes correct our own data, or answer a notification of ours.
    /// </summary>
    public static bool IsOfTheAccount(string code) => code is "C01" or "C02" or "C03" or "C04" or "C05" or "C06" or "C07";

    /// <summary>Reads the change. Returns false if the data has anything but the fields of the code.</summary>
    public static bool TryRead(string code, string data, [NotNullWhen(true)] out AccountChange? change)
    {
        var text = data.PadRight(Width);
        change = code switch
        {
            "C01" when Ends(text, 17) => new AccountChange(AccountNumber: Field(text, 0, 17)),
            "C02" when Ends(text, 9) => new AccountChange(Field(text, 0, 9)),
            "C03" when Blank(text, 9, 3) && Ends(text, 29) => new AccountChange(Field(text, 0, 9), Field(text, 12, 17)),
            "C04" when Ends(text, 22) => new AccountChange(HolderName: Field(text, 0, 22)),
            "C05" when Ends(text, 2) => new AccountChange(AccountType: TypeOf(text.AsSpan(0, 2))),
            "C06" when Blank(text, 17, 3) && Ends(text, 22) =>
                new AccountChange(AccountNumber: Field(text, 0, 17), AccountType: TypeOf(text.AsSpan(20, 2))),
            "C07" when Ends(text, 28) => new AccountChange(Field(text, 0, 9), Field(text, 9, 17), TypeOf(text.AsSpan(26, 2))),
            _ => null,
        };

        // If a field that the code promises is empty or unknown, the whole change is unreadable.
        if (change is not null && !Promised(code, change))
        {
            change = null;
        }

        return change is not null;
    }

    private static bool Promised(string code, AccountChange change) =>
        (code is not ("C02" or "C03" or "C07") || change.RoutingNumber is not null)
        && (code is not ("C01" or "C03" or "C06" or "C07") || change.AccountNumber is not null)
        && (code is not ("C05" or "C06" or "C07") || change.AccountType is not null)
        && (code != "C04" || change.HolderName is not null);

    private static string? Field(string text, int at, int width) =>
        text.AsSpan(at, width).Trim(' ') is { IsEmpty: false } field ? field.ToString() : null;

    private static bool Blank(string text, int at, int width) => text.AsSpan(at, width).Trim(' ').IsEmpty;

    private static bool Ends(string text, int at) => Blank(text, at, text.Length - at);

    // Transaction codes 20 to 29 are of checking accounts, 30 to 39 of savings accounts. Payouts go to no others.
    private static UsAccountType? TypeOf(ReadOnlySpan<char> code) => code switch
    {
        ['2', >= '0' and <= '9'] => UsAccountType.Checking,
        ['3', >= '0' and <= '9'] => UsAccountType.Savings,
        _ => null,
    };
}
