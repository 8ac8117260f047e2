namespace Payments.Domain.Charges;

/// <summary>The allowed transitions of a charge. Refunds and disputes are records of their own, not states of a charge.</summary>
public static class ChargeTransitions
{
    public static bool Allows(ChargeStatus from, ChargeStatus to) => from switch
    {
        ChargeStatus.Pending => to is ChargeStatus.RequiresAction or ChargeStatus.Processing or ChargeStatus.Authorized or ChargeStatus.Captured or ChargeStatus.Declined
            or ChargeStatus.Canceled or ChargeStatus.Expired,
        ChargeStatus.Processing => to is ChargeStatus.RequiresAction or ChargeStatus.Authorized or ChargeStatus.Captured or ChargeStatus.Declined or ChargeStatus.Canceled
            or ChargeStatus.Expired,
        ChargeStatus.RequiresAction => to is ChargeStatus.Processing or ChargeStatus.Authorized or ChargeStatus.Captured or ChargeStatus.Declined or ChargeStatus.Canceled
            or ChargeStatus.Expired,
        ChargeStatus.Authorized => to is ChargeStatus.PartiallyCaptured or ChargeStatus.Captured or ChargeStatus.Canceled or ChargeStatus.Expired,
        ChargeStatus.PartiallyCaptured => to is ChargeStatus.Captured,
        ChargeStatus.Captured or ChargeStatus.Canceled or ChargeStatus.Declined or ChargeStatus.Expired => false,
    };

    /// <summary>Whether the status can no longer change.</summary>
    public static bool IsTerminal(ChargeStatus status) => !Enum.GetValues<ChargeStatus>().Any(to => Allows(status, to));
}
