namespace Payments.Domain.Payouts;

/// <summary>What a bank's reason for a payout that failed or came back says about the account it was sent to.</summary>
public static class BankFailure
{
    /// <summary>The reason where a bank gives none.</summary>
    public const string Unknown = "could_not_process";

    /// <summary>An instant payout that the bank never took: it was sent once, and the time for taking it is over.</summary>
    public const string NotTaken = "instant_not_taken";

    /// <summary>
    /// Whether the account itself is at fault, so that paying it again would end the same way: no payout goes there until the merchant gives
    /// another. Any other reason is passing, and the next run tries again.
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
