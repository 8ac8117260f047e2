using Payments.Domain.Balances;
using Payments.Domain.Ledger;
using Payments.Domain.Pricing;
using Payments.Domain.Providers;
using Payments.Domain.Providers.Routing;
using Payments.Domain.Refunds;

namespace Payments.Domain.Charges;

/// <summary>Amounts that a charge may have, in minor units.</summary>
public static class ChargeLimits
{
    public const long Minimum = 1;

    /// <summary>Card networks carry at most twelve digits.</summary>
    public const long Maximum = 999_999_999_999;
}

/// <summary>The terms under which a charge is settled with its merchant.</summary>
/// <param name="AvailableOn">
/// The date from which money captured now can be paid out, in the time zone of the currency's payment system.
/// </param>
public sealed record SettlementTerms(FeePlan Fees, DateOnly AvailableOn)
{
    /// <summary>The version of the merchant's fee plan that <see cref="Fees"/> is.</summary>
    public int PlanVersion { get; init; } = 1;

    /// <summary>ISO 3166-1 alpha-2. It decides whether a card is foreign.</summary>
    public string MerchantCountry { get; init; } = "";

    /// <summary>The amount that the merchant captured before in this month and currency, in minor units.</summary>
    public long VolumeBefore { get; init; }
}

/// <summary>A charge with the attempt that is being settled, and the refund if the attempt is one.</summary>
public sealed record ChargeState(Charge Charge, Attempt Attempt, Refund? Refund);

/// <summary>The changes that a provider's answer makes.</summary>
/// <param name="Changed">False if the answer says nothing new, because it is a duplicate or came too late.</param>
/// <param name="Contradicts">
/// True if the answer contradicts the recorded outcome. Nothing changes, and the platform raises an alert.
/// </param>
public sealed record ChargeEffect(
    ChargeState After, bool Changed, Journal? Journal = null, BalanceTransaction? BalanceTransaction = null, string? Event = null, bool Contradicts = false);

/// <summary>
/// Applies a provider's answer to a charge, whether it is a response, an event or the result of a look-up. Pure. The same answers, in any
/// order and number, end in the same state, and money moves once.
/// </summary>
public static class ChargeRules
{
    /// <summary>The time after which the resolver asks about a new attempt, in case the process that made it crashed.</summary>
    public static readonly TimeSpan FirstCheck = TimeSpan.FromSeconds(60);

    /// <summary>The age from which an attempt that the provider does not know counts as never carried out.</summary>
    public static readonly TimeSpan NeverArrived = TimeSpan.FromMinutes(10);

    /// <summary>
    /// The lifetime of an authorization, or of a payment that awaits its customer, if the provider names none. Card schemes give most
    /// merchants this time. After it, the timer asks the provider and gives back what is still held.
    /// </summary>
    public static readonly TimeSpan AuthorizationLifetime = TimeSpan.FromDays(7);

    private static readonly TimeSpan LongestPause = TimeSpan.FromHours(1);

    /// <summary>
    /// The time of the next check. The pause starts at 5 seconds and doubles with each check without an outcome, up to an hour.
    /// </summary>
    public static DateTimeOffset NextCheck(int checks, DateTimeOffset now)
    {
        var pause = TimeSpan.FromSeconds(5 * Math.Pow(2, Math.Min(checks, 20)));
        return now + (pause < LongestPause ? pause : LongestPause);
    }

    public static ChargeEffect Apply(ChargeState state, PaymentAnswer answer, SettlementTerms terms, DateTimeOffset now)
    {
        if (state.Attempt.Operation is PaymentOperation.Charge && state.Attempt.Provider != state.Charge.Provider)
            return Superseded(state, answer);
        if (answer.Result is PaymentResult.Canceled or PaymentResult.Expired)
            return Lapse(state, answer, now);
        if (state.Attempt.IsSettled)
            return Repeat(state, answer, now);
        return answer.Result switch
        {
            PaymentResult.Unknown => Unsettled(state, AttemptStatus.Unknown, answer, now),
            PaymentResult.Pending => Unsettled(state, AttemptStatus.Pending, answer, now),
            PaymentResult.RequiresAction => RequiresAction(state, answer, now),
            PaymentResult.Declined => Fail(state, AttemptStatus.Declined, answer.Decline ?? DeclineCode.DoNotHonor, answer, now),
            PaymentResult.NotSent => Fail(state, AttemptStatus.Failed, DeclineCode.ProviderUnavailable, answer, now),
            PaymentResult.Authorized => Authorized(state, answer, now),
            PaymentResult.Succeeded => Succeed(state, answer, terms, now),
            PaymentResult.Canceled or PaymentResult.Expired => throw new InvalidOperationException("It was handled above."),
        };
    }

    /// <summary>
    /// Settles an attempt that ended without effect, so that the charge goes on to the next provider and stays pending. Null if the attempt
    /// is settled, the charge is no longer pending, or the answer does not allow another attempt.
    /// </summary>
    public static ChargeEffect? MoveOn(ChargeState state, PaymentAnswer answer, NextAttempt next, DateTimeOffset now)
    {
        if (state.Attempt.IsSettled || state.Attempt.Operation is not PaymentOperation.Charge || state.Charge.Status is not ChargeStatus.Pending || !Route.MayGoOn(answer))
            return null;
        var attempt = answer.Result is PaymentResult.NotSent
            ? Settle(state.Attempt, AttemptStatus.Failed, answer, DeclineCode.ProviderUnavailable, now)
            : Settle(state.Attempt, AttemptStatus.Declined, answer, answer.Decline, now);
        var charge = state.Charge with { Provider = next.Attempt.Provider, PaymentToken = next.Token, UpdatedAt = now };
        return new ChargeEffect(state with { Charge = charge, Attempt = attempt }, Changed: true);
    }

    /// <summary>
    /// An answer to an attempt whose charge went on to another provider. Later reports, such as the cancel of a declined payment, say
    /// nothing about the charge. A report that the attempt was carried out is a contradiction.
    /// </summary>
    private static ChargeEffect Superseded(ChargeState state, PaymentAnswer answer) =>
        answer.Result is PaymentResult.Succeeded or PaymentResult.Authorized ? Contradiction(state) : Nothing(state);

    private static ChargeEffect Repeat(ChargeState state, PaymentAnswer answer, DateTimeOffset now)
    {
        var attempt = state.Attempt;
        if (attempt is { Operation: PaymentOperation.Refund, Status: AttemptStatus.Succeeded } && answer.Result is PaymentResult.Declined)
            return TakeBackRefund(state, answer, now);
        return answer.Result switch
        {
            // A declined refund with a provider's id may have succeeded before it failed, so a late success is old news. One without an id
            // never began.
            PaymentResult.Succeeded when attempt.Operation is PaymentOperation.Refund => attempt.Status switch
            {
                AttemptStatus.Declined when attempt.ProviderReference is not null => Nothing(state),
                AttemptStatus.Succeeded => Nothing(state),
                _ => Contradiction(state),
            },

            // The report that the authorization ended may arrive before the report that it was made.
            PaymentResult.Authorized when state.Charge.Status is ChargeStatus.Canceled or ChargeStatus.Expired => Nothing(state),

            // The platform has captured nothing, and the provider reports a capture.
            PaymentResult.Succeeded when attempt.Operation is PaymentOperation.Charge && state.Charge.Captured.IsZero && state.Charge.Capturing.IsZero => Contradiction(state),
            PaymentResult.Succeeded or PaymentResult.Authorized => attempt.Status is AttemptStatus.Succeeded ? Nothing(state) : Contradiction(state),
            PaymentResult.Declined => attempt.Status is AttemptStatus.Succeeded ? Contradiction(state) : Nothing(state),
            PaymentResult.NotSent or PaymentResult.Unknown or PaymentResult.Pending or PaymentResult.RequiresAction or PaymentResult.Canceled or PaymentResult.Expired => Nothing(state),
        };
    }

    private static ChargeEffect Unsettled(ChargeState state, AttemptStatus status, PaymentAnswer answer, DateTimeOffset now)
    {
        var attempt = state.Attempt with
        {
            // A call without an answer must not hide that the provider accepted the attempt, or that the customer has to act.
            Status = status is AttemptStatus.Unknown && state.Attempt.Status is AttemptStatus.Pending or AttemptStatus.RequiresAction ? state.Attempt.Status : status,
            ProviderReference = answer.Reference ?? state.Attempt.ProviderReference,
            Checks = state.Attempt.Checks + 1,
            NextCheckAt = NextCheck(state.Attempt.Checks, now),
        };
        var charge = attempt.Operation is PaymentOperation.Charge && ChargeTransitions.Allows(state.Charge.Status, ChargeStatus.Processing)
            && attempt.Status is AttemptStatus.Unknown or AttemptStatus.Pending
            ? Move(state.Charge, ChargeStatus.Processing, now) with { ProviderReference = answer.Reference ?? state.Charge.ProviderReference }
            : state.Charge;
        var refund = state.Refund;
        if (refund is { Status: RefundStatus.Pending or RefundStatus.Processing })
        {
            var to = attempt.Status is AttemptStatus.Pending ? RefundStatus.Pending : RefundStatus.Processing;
            if (refund.Status != to || answer.Reference is not null)
                refund = refund with { Status = to, ProviderReference = answer.Reference ?? refund.ProviderReference, UpdatedAt = now };
        }

        var name = charge.Status != state.Charge.Status ? "charge.processing" : refund?.Status != state.Refund?.Status ? $"refund.{Database.DbText.Of(refund!.Status)}" : null;
        return new ChargeEffect(new ChargeState(charge, attempt, refund), Changed: true, Event: name);
    }

    private static ChargeEffect RequiresAction(ChargeState state, PaymentAnswer answer, DateTimeOffset now)
    {
        if (state.Attempt.Operation is not PaymentOperation.Charge)
            return Contradiction(state);

        // The attempt already waits for the customer, or the charge has ended here and the provider does not know it yet.
        if (state.Attempt.Status is AttemptStatus.RequiresAction || !CanMove(state.Charge, ChargeStatus.RequiresAction))
            return AskAgain(state, now);
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
            ExpiresAt = answer.ExpiresAt ?? now + AuthorizationLifetime,
        };
        return new ChargeEffect(state with { Charge = charge, Attempt = attempt }, Changed: true, Event: "charge.requires_action");
    }

    private static ChargeEffect Authorized(ChargeState state, PaymentAnswer answer, DateTimeOffset now)
    {
        if (state.Attempt.Operation is not PaymentOperation.Charge)
            return Contradiction(state);

        // With automatic capture, an authorization is not the outcome. The provider still has to report the capture.
        if (state.Charge.CaptureMethod is CaptureMethod.Automatic)
            return Unsettled(state, AttemptStatus.Pending, answer, now);

        // The charge ended before its authorization was reported. The attempt ends when the provider reports that it holds nothing any
        // more.
        if (state.Charge.Status is ChargeStatus.Canceled or ChargeStatus.Expired)
            return AskAgain(state, now);
        if (!ChargeTransitions.Allows(state.Charge.Status, ChargeStatus.Authorized))
            return Contradiction(state);
        var charge = Approved(state.Charge, answer, ChargeStatus.Authorized, now) with { ExpiresAt = answer.ExpiresAt ?? now + AuthorizationLifetime };
        return new ChargeEffect(state with { Charge = charge, Attempt = Settle(state.Attempt, AttemptStatus.Succeeded, answer, null, now) }, Changed: true, Event: "charge.authorized");
    }

    /// <summary>The provider holds nothing for the charge any more: the authorization lapsed, or was canceled at the provider.</summary>
    private static ChargeEffect Lapse(ChargeState state, PaymentAnswer answer, DateTimeOffset now)
    {
        var charge = state.Charge;
        if (state.Attempt.Operation is not PaymentOperation.Charge)
            return state.Attempt.IsSettled ? Nothing(state) : Contradiction(state);
        var (to, name) = answer.Result is PaymentResult.Expired ? (ChargeStatus.Expired, "charge.expired") : (ChargeStatus.Canceled, "charge.canceled");
        if (!state.Attempt.IsSettled)
        {
            var attempt = Settle(state.Attempt, AttemptStatus.Failed, answer, null, now);
            return charge.Status is ChargeStatus.Pending or ChargeStatus.Processing or ChargeStatus.RequiresAction
                ? new ChargeEffect(state with { Charge = Ended(Move(charge, to, now), answer), Attempt = attempt }, Changed: true, Event: name)
                : new ChargeEffect(state with { Attempt = attempt }, Changed: true);
        }

        // The full amount is booked as captured, and the provider reports a cancel. Both cannot be true.
        if (answer.Result is PaymentResult.Canceled && charge is { Status: ChargeStatus.Captured, Canceled.IsZero: true }
            && state.Attempt.Status is AttemptStatus.Succeeded)
            return Contradiction(state);

        // The outcome of a capture or cancel in progress decides what is left. The timer handles the rest later.
        if (charge.Status is not (ChargeStatus.Authorized or ChargeStatus.PartiallyCaptured) || !charge.Capturing.IsZero || !charge.Canceling.IsZero)
            return Nothing(state);
        charge = Move(charge, charge.Captured.IsZero ? to : ChargeStatus.Captured, now) with { Canceled = charge.Authorized - charge.Captured };
        return new ChargeEffect(state with { Charge = charge }, Changed: true, Event: name);
    }

    private static ChargeEffect Succeed(ChargeState state, PaymentAnswer answer, SettlementTerms terms, DateTimeOffset now)
    {
        var attempt = Settle(state.Attempt, AttemptStatus.Succeeded, answer, null, now);
        switch (attempt.Operation)
        {
            case PaymentOperation.Charge:
                {
                    // With manual capture, the success of a charge only says that it was approved.
                    // Another event reports whether it was captured, and how much of it.
                    if (state.Charge.CaptureMethod is CaptureMethod.Manual)
                        return Authorized(state, answer, now);

                    // Another attempt has captured the charge already, so this one charged the customer a second time.
                    if (!ChargeTransitions.Allows(state.Charge.Status, ChargeStatus.Captured))
                        return Contradiction(state);
                    var approved = Approved(state.Charge, answer, ChargeStatus.Captured, now) with { Captured = state.Charge.Amount };
                    return Captured(state with { Charge = approved, Attempt = attempt }, attempt.Amount, terms, now);
                }

            case PaymentOperation.Capture:
                {
                    var captured = state.Charge.Captured + attempt.Amount;
                    var canceled = state.Charge.Canceled + attempt.Released;
                    if (captured + canceled > state.Charge.Authorized || state.Charge.Status is not (ChargeStatus.Authorized or ChargeStatus.PartiallyCaptured))
                        return Contradiction(state);
                    var complete = captured + canceled == state.Charge.Authorized;
                    var charge = Move(state.Charge, complete ? ChargeStatus.Captured : ChargeStatus.PartiallyCaptured, now) with
                    {
                        Captured = captured,
                        Capturing = state.Charge.Capturing - attempt.Amount,
                        Canceled = canceled,
                        Canceling = state.Charge.Canceling - attempt.Released,
                    };
                    return Captured(state with { Charge = charge, Attempt = attempt }, attempt.Amount, terms, now);
                }

            case PaymentOperation.Cancel:
                return Canceled(state with { Attempt = attempt }, state, now);

            case PaymentOperation.Refund:
                {
                    if (!RefundTransitions.Allows(state.Refund!.Status, RefundStatus.Succeeded))
                        return Contradiction(state);
                    var returned = FeeCalculation.ReturnedFee(
                        terms.Fees.FeeOnRefund, state.Charge.Fee, state.Charge.FeeReturned, state.Charge.Captured, state.Charge.Refunded + attempt.Amount);
                    var refund = state.Refund with
                    {
                        Status = RefundStatus.Succeeded,
                        ProviderReference = answer.Reference ?? state.Refund.ProviderReference,
                        FeeReturned = returned,
                        UpdatedAt = now,
                    };
                    var charge = state.Charge with
                    {
                        Refunding = state.Charge.Refunding - attempt.Amount,
                        Refunded = state.Charge.Refunded + attempt.Amount,
                        FeeReturned = state.Charge.FeeReturned + returned,
                        UpdatedAt = now,
                    };
                    var key = $"refund:{refund.Id}";

                    // The provider has returned the money. If the merchant's balance does not cover it, the merchant owes the rest.
                    var available = ChartOfAccounts.MerchantAvailable(charge.Merchant, charge.Currency);
                    List<Transfer> transfers = [new(available, ChartOfAccounts.ProcessorClearing(charge.Provider, charge.Currency), attempt.Amount, "refund") { PastLimit = true }];
                    if (returned.IsPositive)
                        transfers.Add(new(ChartOfAccounts.PlatformFees(charge.Currency), available, returned, "fee_refund"));
                    var entry = Immediate(charge, BalanceTransactionType.Refund, refund, key, -attempt.Amount, -returned, now);
                    return new ChargeEffect(
                        new ChargeState(charge, attempt, refund), Changed: true, new Journal(charge.Merchant, key, "refund", now, transfers), entry, "refund.succeeded");
                }

            default:
                throw new InvalidOperationException($"{attempt.Operation} is no operation.");
        }
    }

    /// <summary>The provider gave back the held amount, or ended the payment.</summary>
    private static ChargeEffect Canceled(ChargeState state, ChargeState before, DateTimeOffset now)
    {
        var (to, name) = state.Attempt.IsExpiry ? (ChargeStatus.Expired, "charge.expired") : (ChargeStatus.Canceled, "charge.canceled");
        var charge = state.Charge with { Canceling = state.Charge.Canceling - state.Attempt.Amount };
        switch (charge.Status)
        {
            case ChargeStatus.RequiresAction:
                charge = Move(charge, to, now) with { RedirectUrl = null };
                break;
            case ChargeStatus.Authorized or ChargeStatus.PartiallyCaptured when charge.Captured + charge.Canceled + state.Attempt.Amount <= charge.Authorized:
                {
                    var canceled = charge.Canceled + state.Attempt.Amount;
                    var nothingLeft = charge.Captured + canceled == charge.Authorized;
                    charge = (nothingLeft ? Move(charge, charge.Captured.IsZero ? to : ChargeStatus.Captured, now) : charge) with { Canceled = canceled, UpdatedAt = now };
                    break;
                }

            // An answer to the charge's own attempt reported the cancel first.
            case ChargeStatus.Canceled or ChargeStatus.Expired:
                return new ChargeEffect(state with { Charge = charge }, Changed: true);
            default:
                return Contradiction(before);
        }

        return new ChargeEffect(state with { Charge = charge }, Changed: true, Event: name);
    }

    /// <summary>
    /// The provider reports that a succeeded refund has failed. The money went back to the provider, and goes back to the merchant.
    /// </summary>
    private static ChargeEffect TakeBackRefund(ChargeState state, PaymentAnswer answer, DateTimeOffset now)
    {
        var code = answer.Decline ?? DeclineCode.ProcessingError;
        var attempt = Settle(state.Attempt, AttemptStatus.Declined, answer, code, now);
        var fee = state.Refund!.FeeReturned;
        var refund = state.Refund with { Status = RefundStatus.Failed, FailureCode = Database.DbText.Of(code), FeeReturned = Money.Zero(fee.Currency), UpdatedAt = now };
        var charge = state.Charge with { Refunded = state.Charge.Refunded - attempt.Amount, FeeReturned = state.Charge.FeeReturned - fee, UpdatedAt = now };
        var key = $"refund_failure:{refund.Id}";
        var available = ChartOfAccounts.MerchantAvailable(charge.Merchant, charge.Currency);
        List<Transfer> transfers = [new(ChartOfAccounts.ProcessorClearing(charge.Provider, charge.Currency), available, attempt.Amount, "refund_failure")];
        if (fee.IsPositive)
        {
            // The platform takes the returned fee again, even if the merchant's balance does not cover it.
            transfers.Add(new(available, ChartOfAccounts.PlatformFees(charge.Currency), fee, "fee") { PastLimit = true });
        }

        var entry = Immediate(charge, BalanceTransactionType.RefundFailure, refund, key, attempt.Amount, fee, now);
        return new ChargeEffect(
            new ChargeState(charge, attempt, refund), Changed: true, new Journal(charge.Merchant, key, "refund_failure", now, transfers), entry, "refund.failed");
    }

    /// <summary>A balance transaction that changes the available balance at once.</summary>
    private static BalanceTransaction Immediate(Charge charge, BalanceTransactionType type, Refund refund, string key, Money amount, Money fee, DateTimeOffset now) => new(
        PrefixedId.New<BalanceTransactionId>(now), charge.Merchant, type, refund.Id.ToString(), key, amount, fee, DateOnly.FromDateTime(now.UtcDateTime), now, null, now);

    /// <summary>Books a capture: the gross amount goes to the merchant's pending balance, and the fee is taken out of it.</summary>
    private static ChargeEffect Captured(ChargeState state, Money amount, SettlementTerms terms, DateTimeOffset now)
    {
        var (merchant, currency) = (state.Charge.Merchant, amount.Currency);
        var subject = state.Charge.Card is { } card ? FeeSubject.OfCard(amount, card.Brand, card.Country, terms.MerchantCountry) : new FeeSubject(amount);
        var detail = FeeCalculation.Of(terms.Fees, terms.PlanVersion, subject, terms.VolumeBefore);
        var fee = new Money(detail.Fee, currency);
        var key = $"capture:{state.Attempt.Id}";
        var pending = ChartOfAccounts.MerchantPending(merchant, currency);
        List<Transfer> transfers = [new(ChartOfAccounts.ProcessorClearing(state.Charge.Provider, currency), pending, amount, "capture")];
        if (fee.IsPositive)
        {
            // A plan's fee may exceed a small amount. The merchant then owes the rest.
            transfers.Add(new(pending, ChartOfAccounts.PlatformFees(currency), fee, "fee") { PastLimit = true });
        }

        var entry = new BalanceTransaction(
            PrefixedId.New<BalanceTransactionId>(now), merchant, BalanceTransactionType.Charge, state.Charge.Id.ToString(), key, amount, fee, terms.AvailableOn, null, null, now);
        var charge = state.Charge with { Fee = state.Charge.Fee + fee, FeeDetails = [.. state.Charge.FeeDetails, detail] };
        return new ChargeEffect(state with { Charge = charge }, Changed: true, new Journal(merchant, key, "capture", now, transfers), entry, "charge.captured");
    }

    private static ChargeEffect Fail(ChargeState state, AttemptStatus status, DeclineCode code, PaymentAnswer answer, DateTimeOffset now)
    {
        var attempt = Settle(state.Attempt, status, answer, code, now);
        switch (attempt.Operation)
        {
            case PaymentOperation.Charge:
                // A charge that was canceled while it waited for its customer stays canceled.
                return CanMove(state.Charge, ChargeStatus.Declined)
                    ? new ChargeEffect(
                        state with { Charge = Ended(Move(state.Charge, ChargeStatus.Declined, now), answer) with { Decline = code }, Attempt = attempt }, Changed: true,
                        Event: "charge.declined")
                    : new ChargeEffect(state with { Attempt = attempt }, Changed: true);

            case PaymentOperation.Capture:
                {
                    var charge = state.Charge with
                    {
                        Capturing = state.Charge.Capturing - attempt.Amount,
                        Canceling = state.Charge.Canceling - attempt.Released,
                        UpdatedAt = now,
                    };
                    return new ChargeEffect(state with { Charge = charge, Attempt = attempt }, Changed: true, Event: "charge.capture_failed");
                }

            case PaymentOperation.Cancel:
                return new ChargeEffect(
                    state with { Charge = state.Charge with { Canceling = state.Charge.Canceling - attempt.Amount, UpdatedAt = now }, Attempt = attempt }, Changed: true,
                    Event: attempt.IsExpiry ? null : "charge.cancel_failed");
            case PaymentOperation.Refund:
                {
                    var refund = state.Refund! with
                    {
                        Status = RefundStatus.Failed,
                        FailureCode = Database.DbText.Of(code),
                        ProviderReference = answer.Reference ?? state.Refund.ProviderReference,
                        UpdatedAt = now,
                    };
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

    private static Charge Ended(Charge charge, PaymentAnswer answer) => charge with
    {
        RedirectUrl = null,
        ProviderReference = answer.Reference ?? charge.ProviderReference,
        Card = answer.Card ?? charge.Card,
    };

    /// <summary>The attempt stays as it is, and the resolver asks its provider later.</summary>
    private static ChargeEffect AskAgain(ChargeState state, DateTimeOffset now) =>
        new(state with { Attempt = state.Attempt with { Checks = state.Attempt.Checks + 1, NextCheckAt = NextCheck(state.Attempt.Checks, now) } }, Changed: true);

    private static ChargeEffect Nothing(ChargeState state) => new(state, Changed: false);

    private static ChargeEffect Contradiction(ChargeState state) => new(state, Changed: false, Contradicts: true);

    private static Attempt Settle(Attempt attempt, AttemptStatus status, PaymentAnswer answer, DeclineCode? decline, DateTimeOffset now) => attempt with
    {
        Status = status,
        Decline = decline,
        ProviderReference = answer.Reference ?? attempt.ProviderReference,
        NextCheckAt = null,
        FinishedAt = now,
    };

    private static bool CanMove(Charge charge, ChargeStatus to) => charge.Status == to || ChargeTransitions.Allows(charge.Status, to);

    private static Charge Move(Charge charge, ChargeStatus to, DateTimeOffset now) =>
        CanMove(charge, to)
            ? charge with
            {
                Status = to,
                UpdatedAt = now,
                ExpiresAt = to is ChargeStatus.Captured or ChargeStatus.Canceled or ChargeStatus.Declined ? null : charge.ExpiresAt,
            }
            : throw new InvalidOperationException($"A charge cannot go from {charge.Status} to {to}.");
}
