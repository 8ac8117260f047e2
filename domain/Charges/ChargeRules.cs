using Payments.Domain.Balances;
using Payments.Domain.Ledger;
using Payments.Domain.Pricing;
using Payments.Domain.Providers;
using Payments.Domain.Refunds;

namespace Payments.Domain.Charges;

/// <summary>Amounts that a charge may have, in minor units.</summary>
public static class ChargeLimits
{
    public const long Minimum = 1;

    /// <summary>What card networks carry: twelve digits.</summary>
    public const long Maximum = 999_999_999_999;
}

/// <summary>The terms under which a charge is settled with its merchant.</summary>
/// <param name="AvailableOn">The UTC date on which money captured now can be paid out.</param>
public sealed record SettlementTerms(FeePlan Fees, DateOnly AvailableOn);

/// <summary>A charge with what belongs to the attempt that is being settled.</summary>
public sealed record ChargeState(Charge Charge, Attempt Attempt, Refund? Refund);

/// <summary>What an answer of the provider changes.</summary>
/// <param name="Changed">False when the answer tells nothing new: a duplicate, or what came second.</param>
/// <param name="Contradicts">True when the answer cannot be reconciled with what is recorded; nothing is changed and people are told.</param>
public sealed record ChargeEffect(
    ChargeState After, bool Changed, Journal? Journal = null, BalanceTransaction? BalanceTransaction = null, string? Event = null, bool Contradicts = false);

/// <summary>
/// What the provider's answers mean, whichever way they come: as the response, as a webhook before or after it, or found by asking. Pure: the same
/// answers in any order and number end in the same state, and the money moves once.
/// </summary>
public static class ChargeRules
{
    /// <summary>How soon a provider is asked about an attempt that was recorded, in case the caller crashed.</summary>
    public static readonly TimeSpan FirstCheck = TimeSpan.FromSeconds(60);

    /// <summary>How long after its start an attempt that the provider has never heard of counts as never carried out.</summary>
    public static readonly TimeSpan NeverArrived = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan LongestPause = TimeSpan.FromHours(1);

    /// <summary>When to ask next after so many fruitless checks: 5 s, doubling to an hour.</summary>
    public static DateTimeOffset NextCheck(int checks, DateTimeOffset now)
    {
        var pause = TimeSpan.FromSeconds(5 * Math.Pow(2, Math.Min(checks, 20)));
        return now + (pause < LongestPause ? pause : LongestPause);
    }

    public static ChargeEffect Apply(ChargeState state, PaymentAnswer answer, SettlementTerms terms, DateTimeOffset now)
    {
        if (state.Attempt.IsSettled)
            return Repeat(state, answer);
        return answer.Result switch
        {
            PaymentResult.Unknown => Unsettled(state, AttemptStatus.Unknown, answer, now),
            PaymentResult.Pending => Unsettled(state, AttemptStatus.Pending, answer, now),
            PaymentResult.RequiresAction => RequiresAction(state, answer, now),
            PaymentResult.Declined => Fail(state, AttemptStatus.Declined, answer.Decline ?? DeclineCode.DoNotHonor, answer, now),
            PaymentResult.NotSent => Fail(state, AttemptStatus.Failed, DeclineCode.ProviderUnavailable, answer, now),
            PaymentResult.Authorized => Authorized(state, answer, now),
            PaymentResult.Succeeded => Succeed(state, answer, terms, now),
        };
    }

    private static ChargeEffect Repeat(ChargeState state, PaymentAnswer answer)
    {
        var contradicts = answer.Result switch
        {
            PaymentResult.Succeeded or PaymentResult.Authorized => state.Attempt.Status is not AttemptStatus.Succeeded,
            PaymentResult.Declined => state.Attempt.Status is AttemptStatus.Succeeded && state.Attempt.Operation is not PaymentOperation.Refund,
            PaymentResult.NotSent or PaymentResult.Unknown or PaymentResult.Pending or PaymentResult.RequiresAction => false,
        };
        return new ChargeEffect(state, Changed: false, Contradicts: contradicts);
    }

    private static ChargeEffect Unsettled(ChargeState state, AttemptStatus status, PaymentAnswer answer, DateTimeOffset now)
    {
        var attempt = state.Attempt with
        {
            // What the provider took on, or the customer is doing, is known better than a call that got no answer.
            Status = status is AttemptStatus.Unknown && state.Attempt.Status is AttemptStatus.Pending or AttemptStatus.RequiresAction ? state.Attempt.Status : status,
            ProviderReference = answer.Reference ?? state.Attempt.ProviderReference,
            Checks = state.Attempt.Checks + 1,
            NextCheckAt = NextCheck(state.Attempt.Checks, now),
        };
        var charge = attempt.Operation is PaymentOperation.Charge && ChargeTransitions.Allows(state.Charge.Status, ChargeStatus.Processing)
            && attempt.Status is AttemptStatus.Unknown or AttemptStatus.Pending
            ? Move(state.Charge, ChargeStatus.Processing, now) with { ProviderReference = answer.Reference ?? state.Charge.ProviderReference }
            : state.Charge;
        var refund = state.Refund is { Status: RefundStatus.Pending } pending && attempt.Status is AttemptStatus.Unknown
            ? pending with { Status = RefundStatus.Processing, UpdatedAt = now }
            : state.Refund;
        return new ChargeEffect(
            new ChargeState(charge, attempt, refund), Changed: true, Event: charge.Status != state.Charge.Status ? "charge.processing" : null);
    }

    private static ChargeEffect RequiresAction(ChargeState state, PaymentAnswer answer, DateTimeOffset now)
    {
        if (state.Attempt.Operation is not PaymentOperation.Charge)
            return new ChargeEffect(state, Changed: false, Contradicts: true);
        if (state.Attempt.Status is AttemptStatus.RequiresAction)
            return new ChargeEffect(state with { Attempt = state.Attempt with { Checks = state.Attempt.Checks + 1, NextCheckAt = NextCheck(state.Attempt.Checks, now) } }, Changed: true);
        var attempt = state.Attempt with
        {
            Status = AttemptStatus.RequiresAction,
            ProviderReference = answer.Reference ?? state.Attempt.ProviderReference,
            NextCheckAt = NextCheck(state.Attempt.Checks, now),
        };
        var charge = Move(state.Charge, ChargeStatus.RequiresAction, now) with
        {
            RedirectUrl = answer.RedirectUrl,
            ProviderReference = answer.Reference ?? state.Charge.ProviderReference,
            Card = answer.Card ?? state.Charge.Card,
        };
        return new ChargeEffect(state with { Charge = charge, Attempt = attempt }, Changed: true, Event: "charge.requires_action");
    }

    private static ChargeEffect Authorized(ChargeState state, PaymentAnswer answer, DateTimeOffset now)
    {
        if (state.Attempt.Operation is not PaymentOperation.Charge)
            return new ChargeEffect(state, Changed: false, Contradicts: true);

        // Of a charge that is captured at once, the authorization is only half the way: its capture is still to be told.
        if (state.Charge.CaptureMethod is CaptureMethod.Automatic)
            return Unsettled(state, AttemptStatus.Pending, answer, now);
        var charge = Approved(state.Charge, answer, ChargeStatus.Authorized, now);
        return new ChargeEffect(state with { Charge = charge, Attempt = Settle(state.Attempt, AttemptStatus.Succeeded, answer, null, now) }, Changed: true, Event: "charge.authorized");
    }

    private static ChargeEffect Succeed(ChargeState state, PaymentAnswer answer, SettlementTerms terms, DateTimeOffset now)
    {
        var attempt = Settle(state.Attempt, AttemptStatus.Succeeded, answer, null, now);
        switch (attempt.Operation)
        {
            case PaymentOperation.Charge:
                {
                    var approved = Approved(state.Charge, answer, ChargeStatus.Captured, now) with { Captured = state.Charge.Amount };
                    return Captured(state with { Charge = approved, Attempt = attempt }, attempt.Amount, terms, now);
                }

            case PaymentOperation.Capture:
                {
                    var captured = state.Charge.Captured + attempt.Amount;
                    var complete = captured + state.Charge.Canceled == state.Charge.Authorized;
                    var charge = Move(state.Charge, complete ? ChargeStatus.Captured : ChargeStatus.PartiallyCaptured, now) with
                    {
                        Captured = captured,
                        Capturing = state.Charge.Capturing - attempt.Amount,
                    };
                    return Captured(state with { Charge = charge, Attempt = attempt }, attempt.Amount, terms, now);
                }

            case PaymentOperation.Cancel:
                {
                    var rest = state.Charge.Authorized - state.Charge.Captured - state.Charge.Canceled;
                    var charge = state.Charge.Captured.IsZero && rest.IsZero ? Move(state.Charge, ChargeStatus.Canceled, now)
                        : rest.IsZero ? Move(state.Charge, ChargeStatus.Captured, now)
                        : state.Charge with { UpdatedAt = now };
                    return new ChargeEffect(state with { Charge = charge, Attempt = attempt }, Changed: true, Event: "charge.canceled");
                }

            case PaymentOperation.Refund:
                {
                    var refund = state.Refund! with { Status = RefundStatus.Succeeded, ProviderReference = answer.Reference ?? state.Refund.ProviderReference, UpdatedAt = now };
                    var charge = state.Charge with
                    {
                        Refunding = state.Charge.Refunding - attempt.Amount,
                        Refunded = state.Charge.Refunded + attempt.Amount,
                        UpdatedAt = now,
                    };
                    var key = $"refund:{refund.Id}";
                    var journal = new Journal(
                        charge.Merchant, key, "refund", now,
                        [new Transfer(
                            ChartOfAccounts.MerchantAvailable(charge.Merchant, charge.Currency), ChartOfAccounts.ProcessorClearing(charge.Provider, charge.Currency), attempt.Amount, "refund")
                        {
                            // The processor has returned the money: what the merchant lacks for it, the merchant owes.
                            PastLimit = true,
                        }]);
                    var entry = new BalanceTransaction(
                        PrefixedId.New<BalanceTransactionId>(now), charge.Merchant, BalanceTransactionType.Refund, refund.Id.ToString(), key, -attempt.Amount,
                        Money.Zero(charge.Currency), DateOnly.FromDateTime(now.UtcDateTime), now, null, now);
                    return new ChargeEffect(new ChargeState(charge, attempt, refund), Changed: true, journal, entry, "refund.succeeded");
                }

            default:
                throw new InvalidOperationException($"{attempt.Operation} is no operation.");
        }
    }

    /// <summary>Books money that was captured: gross to the merchant's pending balance, the fee out of it.</summary>
    private static ChargeEffect Captured(ChargeState state, Money amount, SettlementTerms terms, DateTimeOffset now)
    {
        var (merchant, currency) = (state.Charge.Merchant, amount.Currency);
        var fee = terms.Fees.FeeFor(amount);
        var key = $"capture:{state.Attempt.Id}";
        var pending = ChartOfAccounts.MerchantPending(merchant, currency);
        List<Transfer> transfers = [new(ChartOfAccounts.ProcessorClearing(state.Charge.Provider, currency), pending, amount, "capture")];
        if (fee.IsPositive)
        {
            // The fee of a small amount may be more than the amount: the merchant owes the rest.
            transfers.Add(new(pending, ChartOfAccounts.PlatformFees(currency), fee, "fee") { PastLimit = true });
        }

        var entry = new BalanceTransaction(
            PrefixedId.New<BalanceTransactionId>(now), merchant, BalanceTransactionType.Charge, state.Charge.Id.ToString(), key, amount, fee, terms.AvailableOn, null, null, now);
        var charge = state.Charge with { Fee = state.Charge.Fee + fee };
        return new ChargeEffect(state with { Charge = charge }, Changed: true, new Journal(merchant, key, "capture", now, transfers), entry, "charge.captured");
    }

    private static ChargeEffect Fail(ChargeState state, AttemptStatus status, DeclineCode code, PaymentAnswer answer, DateTimeOffset now)
    {
        var attempt = Settle(state.Attempt, status, answer, code, now);
        switch (attempt.Operation)
        {
            case PaymentOperation.Charge:
                {
                    var charge = Move(state.Charge, ChargeStatus.Declined, now) with
                    {
                        Decline = code,
                        RedirectUrl = null,
                        Card = answer.Card ?? state.Charge.Card,
                        ProviderReference = answer.Reference ?? state.Charge.ProviderReference,
                    };
                    return new ChargeEffect(state with { Charge = charge, Attempt = attempt }, Changed: true, Event: "charge.declined");
                }

            case PaymentOperation.Capture:
                return new ChargeEffect(
                    state with { Charge = state.Charge with { Capturing = state.Charge.Capturing - attempt.Amount, UpdatedAt = now }, Attempt = attempt }, Changed: true,
                    Event: "charge.capture_failed");
            case PaymentOperation.Cancel:
                return new ChargeEffect(
                    state with { Charge = state.Charge with { Canceled = state.Charge.Canceled - attempt.Amount, UpdatedAt = now }, Attempt = attempt }, Changed: true,
                    Event: "charge.cancel_failed");
            case PaymentOperation.Refund:
                {
                    var refund = state.Refund! with { Status = RefundStatus.Failed, FailureCode = Database.DbText.Of(code), UpdatedAt = now };
                    var charge = state.Charge with { Refunding = state.Charge.Refunding - attempt.Amount, UpdatedAt = now };
                    return new ChargeEffect(new ChargeState(charge, attempt, refund), Changed: true, Event: "refund.failed");
                }

            default:
                throw new InvalidOperationException($"{attempt.Operation} is no operation.");
        }
    }

    private static Charge Approved(Charge charge, PaymentAnswer answer, ChargeStatus status, DateTimeOffset now) => Move(charge, status, now) with
    {
        Authorized = charge.Amount,
        ProviderReference = answer.Reference ?? charge.ProviderReference,
        Card = answer.Card ?? charge.Card,
        RedirectUrl = null,
    };

    private static Attempt Settle(Attempt attempt, AttemptStatus status, PaymentAnswer answer, DeclineCode? decline, DateTimeOffset now) => attempt with
    {
        Status = status,
        Decline = decline,
        ProviderReference = answer.Reference ?? attempt.ProviderReference,
        NextCheckAt = null,
        FinishedAt = now,
    };

    private static Charge Move(Charge charge, ChargeStatus to, DateTimeOffset now) =>
        charge.Status == to || ChargeTransitions.Allows(charge.Status, to)
            ? charge with { Status = to, UpdatedAt = now }
            : throw new InvalidOperationException($"A charge cannot go from {charge.Status} to {to}.");
}
