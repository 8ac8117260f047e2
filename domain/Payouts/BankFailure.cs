namespace Payments.Domain.Payouts;

/// <summary>Tells from a bank's reason for a failed or returned payout whether the account is at fault.</summary>
public static class BankFailure
{
    /// <summary>The reason that is recorded if the bank gives none.</summary>
    public const string Unknown = "could_not_process";

    /// <summary>The bank never took the instant payout. It was sent once, and the time for taking it is over.</summary>
    public const string NotTaken = "instant_not_taken";

    /// <summary>
    /// Whether the account itself is at fault, so that another payout to it would end the same way. No payout goes to the account until the
    /// merchant sets another one. Any other reason is temporary, and the next run tries again.
    /// </summary>
    public static bool IsOfTheAccount(string code) => code switch
    {
        // The bank's API.
        "account_closed" or "account_frozen" or "bank_account_restricted" or "bank_ownership_changed" or "incorrect_account_holder_name"
            or "invalid_account_number" or "invalid_currency" or "no_account" or "debit_not_authorized" or "unsupported_card" => true,

        // ISO external status reasons: incorrect, closed, blocked account; unknown creditor; wrong bank; deceased.
        "AC01" or "AC03" or "AC04" or "AC06" or "AC13" or "BE01" or "BE04" or "BE05" or "RC01" or "MD07" => true,

        // NACHA: closed, no account, invalid number, deceased, frozen, non-transaction account, invalid routing number, branch sold, restricted by its bank.
        "R02" or "R03" or "R04" or "R12" or "R13" or "R14" or "R15" or "R16" or "R20" or "R23" or "R34" => true,
        _ => false,
    };
}
