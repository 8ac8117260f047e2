using Payments.Domain.Database;
using Payments.Domain.Providers;
using Payments.Domain.Refunds;

namespace Payments.Domain.Charges;

/// <summary>
/// Decides captures, cancels and refunds. Each takes its part of the limits before the provider is called, so concurrent operations cannot
/// exceed them. Pure. The caller must hold the charge's lock.
/// </summary>
public static class OperationRules
{
    /// <summary>The charge with the limits taken and the new attempt, or the reason for the refusal.</summary>
    public static Result<ChargeState> Begin(Charge charge, OperationIntent intent) => intent.Operation switch
    {
        PaymentOperation.Capture => Capture(charge, intent),
        PaymentOperation.Cancel => Cancel(charge, intent),
        PaymentOperation.Refund => Refund(charge, intent),
        PaymentOperation.Charge => throw new ArgumentException("A charge is begun with its own row.", nameof(intent)),
    };

    private static Result<ChargeState> Capture(Charge charge, OperationIntent intent)
    {
        if (charge.Status is not (ChargeStatus.Authorized or ChargeStatus.PartiallyCaptured))
            return Conflict(charge, "captured");
        if (Amount(charge, intent, charge.Capturable, "captured") is var amount && !amount.TryGet(out var take, out var refusal))
            return refusal;
        if (intent.IsFinal && !(charge.Capturing.IsZero && charge.Canceling.IsZero))
            return new Refusal(RefusalCode.StateConflict, "Another capture or cancel of the charge is in progress. Repeat the final capture when it has ended.");
        var released = intent.IsFinal ? charge.Capturable - take : Money.Zero(charge.Currency);
        return new ChargeState(
            charge with { Capturing = charge.Capturing + take, Canceling = charge.Canceling + released, UpdatedAt = intent.Now }, Attempt(charge, intent, take) with { Released = released }, null);
    }

    private static Result<ChargeState> Cancel(Charge charge, OperationIntent intent)
    {
        if (charge.Status is not (ChargeStatus.Authorized or ChargeStatus.PartiallyCaptured or ChargeStatus.RequiresAction))
            return Conflict(charge, "canceled");
        var rest = charge.Status is ChargeStatus.RequiresAction ? charge.Amount - charge.Canceling : charge.Capturable;
        return Amount(charge, intent, rest, "canceled").TryGet(out var take, out var refusal)
            ? new ChargeState(charge with { Canceling = charge.Canceling + take, UpdatedAt = intent.Now }, Attempt(charge, intent, take), null)
            : refusal;
    }

    private static Result<ChargeState> Refund(Charge charge, OperationIntent intent)
    {
        if (charge.Status is not (ChargeStatus.Captured or ChargeStatus.PartiallyCaptured))
            return Conflict(charge, "refunded");
        if (intent is { BeforeChargebackOnly: true, Disputed: not null })
            return new Refusal(RefusalCode.StateConflict, "The charge already has a chargeback. A refund can no longer prevent it.");

        // The cardholder's bank already has what a chargeback took. A refund of it would pay the customer twice.
        var rest = charge.Refundable;
        if (intent is { MadeElsewhere: false, Disputed: { IsPositive: true } disputed } && rest.IsPositive)
        {
            rest = disputed < rest ? rest - disputed : Money.Zero(charge.Currency);
            if (rest.IsZero)
                return new Refusal(RefusalCode.StateConflict, "The charge is disputed and cannot be refunded. The cardholder's bank has taken the money back.");
        }

        if (!Amount(charge, intent, rest, "refunded").TryGet(out var take, out var refusal))
            return refusal;
        var refund = new Refund(
            charge.Merchant, intent.Refund!.Value, charge.Id, RefundStatus.Pending, take, intent.Reason, null, null, intent.MetadataJson,
            intent.Now, intent.Now)
        {
            MadeElsewhere = intent.MadeElsewhere,
        };
        return new ChargeState(charge with { Refunding = charge.Refunding + take, UpdatedAt = intent.Now }, Attempt(charge, intent, take), refund);
    }

    private static Result<Money> Amount(Charge charge, OperationIntent intent, Money rest, string done)
    {
        if (rest.IsZero)
            return new Refusal(RefusalCode.StateConflict, $"No amount of the charge is left to be {done}. An operation in progress counts as done until it fails.");
        var amount = intent.Amount is { } wanted ? new Money(wanted, charge.Currency) : rest;
        return amount <= rest
            ? amount
            : new Refusal(RefusalCode.AmountTooLarge, $"Only {rest} of the charge is left to be {done}. An operation in progress counts as done until it fails.", "amount");
    }

    private static Refusal Conflict(Charge charge, string done) => charge.Status switch
    {
        ChargeStatus.Pending or ChargeStatus.Processing =>
            new Refusal(RefusalCode.StateConflict, $"The provider's answer to the charge is not known yet, so it cannot be {done}. Repeat the request later."),
        ChargeStatus.Captured when done == "canceled" => new Refusal(RefusalCode.StateConflict, "The charge is captured. Refund it instead."),
        ChargeStatus.Authorized when done == "refunded" => new Refusal(RefusalCode.StateConflict, "The charge is not captured. Cancel it instead."),
        _ => new Refusal(RefusalCode.StateConflict, $"The charge is {DbText.Of(charge.Status)} and cannot be {done}."),
    };

    private static Attempt Attempt(Charge charge, OperationIntent intent, Money amount) => new(
        charge.Merchant, intent.Attempt, charge.Id, intent.Refund, intent.Operation, AttemptStatus.Started, charge.Provider, amount, null, null, intent.Request?.Key.Value, 0,
        intent.Now + ChargeRules.FirstCheck, intent.Now, null)
    {
        IsExpiry = intent.IsExpiry,
        MadeElsewhere = intent.MadeElsewhere,
    };
}
