namespace Payments.Domain.Payouts;

/// <summary>
/// Why a merchant gets no payout now. If several reasons hold, <see cref="PayoutRules"/> returns the first that it checks.
/// </summary>
public enum PayoutRefusal
{
    /// <summary>The platform holds payouts. The hold carries its own reason.</summary>
    Held,

    /// <summary>The merchant is suspended or closed.</summary>
    MerchantNotActive,

    /// <summary>The schedule pays on a later date.</summary>
    NotDue,

    /// <summary>The schedule is manual: only a request pays out.</summary>
    ManualSchedule,

    NoBankAccount,

    /// <summary>The rail of the currency does not reach the account, such as SEPA an account in Brazil.</summary>
    BankAccountUnreachable,

    /// <summary>The bank says that the account does not belong to this holder.</summary>
    PayeeBlocked,

    /// <summary>The bank could not confirm the holder's name. The platform must accept the account first.</summary>
    PayeeHeld,

    /// <summary>The platform has not confirmed yet that the account belongs to the merchant.</summary>
    BankAccountNotVerified,

    /// <summary>The account was changed recently. Payouts wait until the cooling period is over.</summary>
    BankAccountCooling,

    /// <summary>The bank returned or refused an earlier payout. The account must be corrected first.</summary>
    BankAccountErrored,

    /// <summary>There is no released money.</summary>
    NothingAvailable,

    /// <summary>Refunds and disputes exceed the income. The debt is carried over until later income covers it.</summary>
    NegativeBalance,

    /// <summary>The reserve keeps all of the money that would be paid.</summary>
    KeptInReserve,

    /// <summary>The amount is below the smallest payout. It rolls over to the next payout.</summary>
    BelowMinimum,

    /// <summary>The request asks for more than can be paid out now.</summary>
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

/// <summary>
/// Everything that the decision depends on, for one merchant and currency. Amounts are minor units of <see cref="Currency"/>.
/// </summary>
/// <param name="Available">Sum of the released balance transactions that are in no payout.</param>
/// <param name="NewIncome">
/// The part of <paramref name="Available"/> that no payout has touched before. The rolling reserve is a share of it.
/// </param>
/// <param name="DueOn">The next date of the schedule. Null if every business day is due, or if the schedule is manual.</param>
/// <param name="UsableFrom">The end of the bank account's cooling period.</param>
/// <param name="BankAccountReachable">Whether the payout's rail reaches the account.</param>
/// <param name="Payee">How the bank's answer about the account's holder affects payouts.</param>
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
/// A payout of <see cref="Amount"/>, or the reason for none. <see cref="Amount"/> + <see cref="Reserved"/> + <see cref="CarriedOver"/> is
/// always the available balance.
/// </summary>
/// <param name="Reserved">Moved to the rolling reserve by this payout.</param>
/// <param name="CarriedOver">What stays available, such as the part above the maximum and the fixed reserve.</param>
public readonly record struct PayoutDecision(PayoutRefusal? Refusal, long Amount, long Reserved, long CarriedOver)
{
    public bool Pays => Refusal is null;

    /// <summary>
    /// Whether the schedule's date is used up: it paid, or the money waits for the next date. Otherwise the date stays due.
    /// </summary>
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
    /// Decides a payout that the merchant requests. Everything but the schedule counts. Without an amount it pays everything payable. With
    /// an amount it pays exactly that.
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
    /// The largest possible payout, in minor units. A NACHA entry has ten digits for the amount, and a SEPA credit transfer eleven. A
    /// larger payout would keep its whole file from being written.
    /// </summary>
    public static long Largest(Currency currency) => currency.Code switch
    {
        "USD" => BankFiles.Nacha.MaxAmount,
        "EUR" => 99_999_999_999,
        _ => long.MaxValue,
    };

    private static PayoutDecision Refuse(PayoutRefusal reason, PayoutPosition position) => new(reason, 0, 0, position.Available);
}
