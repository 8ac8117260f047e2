using Payments.Domain.Pricing;

namespace Payments.Domain.Disputes;

/// <summary>
/// What the ledger holds for a dispute. It follows from the state alone. The difference between two positions is what remains to be posted,
/// so no amount is posted twice, whatever path led to the state.
/// </summary>
/// <param name="Disputed">Taken from the merchant and held until the verdict, in the charge's currency.</param>
/// <param name="Taken">Taken from the merchant for good and returned to the cardholder, in the charge's currency.</param>
/// <param name="TakenAtProcessor">The same amount as the provider takes it, in the dispute's currency.</param>
/// <param name="Fee">Charged to the merchant and not returned, in the charge's currency.</param>
public sealed record DisputePosition(Money Disputed, Money Taken, Money TakenAtProcessor, Money Fee)
{
    /// <summary>The amount withdrawn from the merchant, without fees.</summary>
    public Money Withdrawn => Disputed + Taken;

    public static DisputePosition None(Currency charge, Currency dispute) =>
        new(Money.Zero(charge), Money.Zero(charge), Money.Zero(dispute), Money.Zero(charge));

    /// <summary>
    /// The position that the ledger must have for a dispute in this state. Warnings hold nothing. An open dispute holds its amount. A
    /// verdict returns it or takes it. The merchant bears the amount that the provider reports in the charge's currency. Without such a
    /// report, a dispute in the charge's currency takes its own amount, even above the charge. A dispute in another currency then takes
    /// <paramref name="chargeAmount"/>, and the difference is an exchange result.
    /// </summary>
    /// <param name="chargeAmount"><see cref="Dispute.ChargeAmount"/>, in the charge's currency.</param>
    public static DisputePosition Target(DisputeState state, Money chargeAmount, DisputeFees fees)
    {
        var none = None(chargeAmount.Currency, state.Amount.Currency) with { Fee = Fees(state, chargeAmount.Currency, fees) };
        var share = MerchantShare(state, chargeAmount);
        return state.Status switch
        {
            DisputeStatus.WarningNeedsResponse or DisputeStatus.WarningUnderReview or DisputeStatus.WarningClosed or DisputeStatus.Prevented => none,
            DisputeStatus.NeedsResponse or DisputeStatus.UnderReview => none with { Disputed = share },
            DisputeStatus.Expired or DisputeStatus.Accepted or DisputeStatus.Lost => none with { Taken = share, TakenAtProcessor = state.Amount },
            DisputeStatus.Won when state.Returned is { } returned => none with
            {
                // A largest-remainder split: the returned and the kept part always add up to the whole share.
                Taken = share.Split(returned.MinorUnits, (state.Amount - returned).MinorUnits)[1],
                TakenAtProcessor = state.Amount - returned,
            },
            DisputeStatus.Won => none,
        };
    }

    private static Money MerchantShare(DisputeState state, Money chargeAmount)
    {
        if (state.MerchantAmount is { } said && said.Currency == chargeAmount.Currency)
        {
            return said;
        }

        return state.Amount.Currency == chargeAmount.Currency ? state.Amount : chargeAmount;
    }

    private static Money Fees(DisputeState state, Currency currency, DisputeFees fees)
    {
        if (state.Status == DisputeStatus.Won && fees.RefundedWhenWon)
        {
            return Money.Zero(currency);
        }

        var minorUnits = state.Stage switch
        {
            DisputeStage.EarlyWarning or DisputeStage.Inquiry => 0,
            DisputeStage.Chargeback => fees.Chargeback,
            DisputeStage.PreArbitration => fees.Chargeback + fees.PreArbitration,
            DisputeStage.Arbitration => fees.Chargeback + fees.PreArbitration + fees.Arbitration,
        };
        return new Money(minorUnits, currency);
    }
}
