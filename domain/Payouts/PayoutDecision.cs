namespace Payments.Domain.Payouts;

/// <summary>Why a merchant gets no payout now. In the order in which the rules look; the first that holds is the one told.</summary>
public enum PayoutRefusal
{
    /// <summary>An operator or the platform holds payouts; the hold carries its own reason.</summary>
    Held,

    /// <summary>The merchant is suspended or closed.</summary>
    MerchantNotActive,

    /// <summary>The schedule pays on a later date.</summary>
    NotDue,

    /// <summary>The schedule is manual: only a request pays out.</summary>
    ManualSchedule,

    NoBankAccount,

    /// <summary>The way that payouts of the currency go does not reach the account, such as SEPA one in Brazil.</summary>
    BankAccountUnreachable,

    /// <summary>The bank says that the account belongs to somebody else.</summary>
    PayeeBlocked,

    /// <summary>The bank could not confirm the holder's name: the platform has to accept the account first.</summary>
    PayeeHeld,

    /// <summary>Nobody has confirmed yet that the account is the merchant's.</summary>
    BankAccountNotVerified,

    /// <summary>The account was changed lately: payouts wait until the cooling period is over.</summary>
    BankAccountCooling,

    /// <summary>The bank returned or refused an earlier payout: the account must be corrected first.</summary>
    BankAccountErrored,

    /// <summary>There is no released money.</summary>
    NothingAvailable,

    /// <summary>Refunds and disputes exceed what came in: the debt is carried over until later income covers it.</summary>
    NegativeBalance,

    /// <summary>What would be paid is all kept back by the reserve.</summary>
    KeptInReserve,

    /// <summary>Less than the smallest payout: it rolls over to the next.</summary>
    BelowMinimum,

    /// <summary>More was asked for than can be paid out now.</summary>
    AmountTooLarge,
}

public enum BankAccountState
{
    /// <summary>Usable once it is verified and its cooling period is over.</summary>
    Active,

    /// <summary>The bank returned or refused a payout to it.</summary>
    Errored,
}

/// <summary>What keeps money back from a payout.</summary>
/// <param name="BasisPoints">A rolling reserve: this share of the new income in each payout is set aside (100 = 1 %).</param>
/// <param name="Days">For how many calendar days the rolling reserve is set aside.</param>
/// <param name="Fixed">Minor units that always stay on the balance.</param>
public readonly record struct PayoutReserve(int BasisPoints, int Days, long Fixed)
{
    public static PayoutReserve None => default;
}

/// <summary>All that the decision depends on, for one merchant and currency. Amounts are minor units of <see cref="Currency"/>.</summary>
/// <param name="Available">Sum of the released balance transactions that are in no payout.</param>
/// <param name="NewIncome">The part of it that no payout has touched before: the base of a rolling reserve.</param>
/// <param name="DueOn">The next date of the schedule; null when every business day is one, or when the schedule is manual.</param>
/// <param name="UsableFrom">The end of the bank account's cooling period.</param>
/// <param name="BankAccountReachable">Whether the payout's way reaches the account.</param>
/// <param name="Payee">What the bank's answer about the account's holder does to payouts.</param>
public sealed record PayoutPosition(
    Currency Currency,
    long Available,
    long NewIncome,
    long Minimum,
    long? Maximum,
    PayoutReserve Reserve,
    PayoutInterval Interval,
    DateOnly? DueOn,
    bool Held,
    bool MerchantActive,
    bool HasBankAccount,
    bool BankAccountVerified,
    BankAccountState BankAccountState,
    DateTimeOffset? UsableFrom,
    bool BankAccountReachable = true,
    PayeePolicy Payee = PayeePolicy.Allow);

/// <summary>
/// A payout of <see cref="Amount"/>, or the reason for none. <see cref="Amount"/> + <see cref="Reserved"/> + <see cref="CarriedOver"/> is the
/// available balance, always: what is neither paid nor reserved stays.
/// </summary>
/// <param name="Reserved">Moved to the rolling reserve by this payout.</param>
/// <param name="CarriedOver">Stays available: above the maximum, or the fixed reserve.</param>
public readonly record struct PayoutDecision(PayoutRefusal? Refusal, long Amount, long Reserved, long CarriedOver)
{
    public bool Pays => Refusal is null;

    /// <summary>Whether a date of the schedule is done with: it paid, or what there is waits for the next date. Else it stays due.</summary>
    public bool UsesUpTheDate => Refusal is not { } refusal || refusal switch
    {
        PayoutRefusal.NothingAvailable or PayoutRefusal.NegativeBalance or PayoutRefusal.KeptInReserve or PayoutRefusal.BelowMinimum => true,
        PayoutRefusal.Held or PayoutRefusal.MerchantNotActive or PayoutRefusal.NotDue or PayoutRefusal.ManualSchedule or PayoutRefusal.NoBankAccount
            or PayoutRefusal.BankAccountUnreachable or PayoutRefusal.PayeeBlocked or PayoutRefusal.PayeeHeld or PayoutRefusal.BankAccountNotVerified
            or PayoutRefusal.BankAccountCooling or PayoutRefusal.BankAccountErrored or PayoutRefusal.AmountTooLarge => false,
    };
}

public static class PayoutRules
{
    /// <summary>Decides the payout of a scheduled run for <paramref name="date"/>.</summary>
    public static PayoutDecision Decide(PayoutPosition position, DateOnly date, DateTimeOffset now) =>
        (MerchantRefusal(position) ?? ScheduleRefusal(position, date) ?? AccountRefusal(position, now)) is { } refusal
            ? Refuse(refusal, position)
            : Size(position, requested: null);

    /// <summary>
    /// Decides a payout that was asked for. The schedule does not matter; all else does. Without an amount everything payable is paid;
    /// with one, exactly that.
    /// </summary>
    public static PayoutDecision DecideManual(PayoutPosition position, long? amount, DateTimeOffset now) =>
        (MerchantRefusal(position) ?? AccountRefusal(position, now)) is { } refusal
            ? Refuse(refusal, position)
            : Size(position, amount);

    private static PayoutRefusal? MerchantRefusal(PayoutPosition position) =>
        position.Held ? PayoutRefusal.Held
        : !position.MerchantActive ? PayoutRefusal.MerchantNotActive
        : null;

    private static PayoutRefusal? ScheduleRefusal(PayoutPosition position, DateOnly date) =>
        position.Interval == PayoutInterval.Manual ? PayoutRefusal.ManualSchedule
        : position.DueOn > date ? PayoutRefusal.NotDue
        : null;

    private static PayoutRefusal? AccountRefusal(PayoutPosition position, DateTimeOffset now) =>
        !position.HasBankAccount ? PayoutRefusal.NoBankAccount
        : position.BankAccountState == BankAccountState.Errored ? PayoutRefusal.BankAccountErrored
        : !position.BankAccountReachable ? PayoutRefusal.BankAccountUnreachable
        : position.Payee == PayeePolicy.Block ? PayoutRefusal.PayeeBlocked
        : position.Payee == PayeePolicy.Hold ? PayoutRefusal.PayeeHeld
        : !position.BankAccountVerified ? PayoutRefusal.BankAccountNotVerified
        : position.UsableFrom > now ? PayoutRefusal.BankAccountCooling
        : null;

    private static PayoutDecision Size(PayoutPosition position, long? requested)
    {
        if (position.Available == 0)
        {
            return Refuse(PayoutRefusal.NothingAvailable, position);
        }

        if (position.Available < 0)
        {
            return Refuse(PayoutRefusal.NegativeBalance, position);
        }

        // The rolling reserve rounds like a fee, and never takes more than there is.
        var rolling = new Money(Math.Max(position.NewIncome, 0), position.Currency).BasisPoints(position.Reserve.BasisPoints).MinorUnits;
        rolling = Math.Min(rolling, position.Available);
        var payable = position.Available - rolling - position.Reserve.Fixed;
        if (payable <= 0)
        {
            return Refuse(PayoutRefusal.KeptInReserve, position);
        }

        var amount = Math.Min(payable, Math.Min(position.Maximum ?? long.MaxValue, Largest(position.Currency)));
        if (requested is { } exactly)
        {
            if (exactly > amount)
            {
                return Refuse(PayoutRefusal.AmountTooLarge, position);
            }

            amount = exactly;
        }

        return amount < Math.Max(position.Minimum, 1)
            ? Refuse(PayoutRefusal.BelowMinimum, position)
            : new PayoutDecision(null, amount, rolling, position.Available - rolling - amount);
    }

    /// <summary>
    /// The most that one payout can be of, in minor units: what the amount of a NACHA entry (ten digits) and of a SEPA credit transfer (eleven) holds.
    /// One larger payout would keep all others of its file from being written.
    /// </summary>
    public static long Largest(Currency currency) => currency.Code switch
    {
        "USD" => BankFiles.Nacha.MaxAmount,
        "EUR" => 99_999_999_999,
        _ => long.MaxValue,
    };

    private static PayoutDecision Refuse(PayoutRefusal reason, PayoutPosition position) => new(reason, 0, 0, position.Available);
}
