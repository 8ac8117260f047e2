using FsCheck;
using FsCheck.Fluent;
using Payments.Domain.Charges;
using Payments.Domain.Pricing;
using Payments.Domain.Providers;
using Payments.Domain.Refunds;

namespace Payments.Domain.Tests.Charges;

public sealed class ChargeRulesTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly MerchantId Merchant = PrefixedId.New<MerchantId>(Now);
    private static readonly SettlementTerms Terms = new(FeePlan.Standard, new DateOnly(2026, 3, 3));
    private static readonly Money Zero = Money.Zero(Currency.Eur);

    [Fact]
    public void Apply_Captured_BooksGrossAndFeeOnce()
    {
        var effect = ChargeRules.Apply(NewCharge(), new PaymentAnswer(PaymentResult.Succeeded, "pay_1"), Terms, Now);

        Assert.Equal(ChargeStatus.Captured, effect.After.Charge.Status);
        Assert.Equal(Eur(10_000), effect.After.Charge.Captured);
        Assert.Equal(Eur(320), effect.After.Charge.Fee);
        Assert.Equal([(Eur(10_000), "capture"), (Eur(320), "fee")], effect.Journal!.Transfers.Select(t => (t.Amount, t.Code)));
        Assert.Equal(Eur(9_680), effect.BalanceTransaction!.Net);
        Assert.Null(effect.After.Attempt.NextCheckAt);
        Assert.Equal("charge.captured", effect.Event);
    }

    private static readonly CardDetails Card = new("visa", "4242", "DE");

    public static TheoryData<PaymentResult> EveryResult() => new(Enum.GetValues<PaymentResult>());

    /// <summary>
    /// What an answer says is taken, and what it leaves out stays as it was: the provider's id of the attempt and of the payment, the
    /// card, the expiry.
    /// </summary>
    [Theory]
    [MemberData(nameof(EveryResult))]
    public void Apply_AnswerOfACharge_TakesWhatItSaysAndKeepsWhatItLeavesOut(PaymentResult result)
    {
        foreach (var method in (CaptureMethod[])[CaptureMethod.Automatic, CaptureMethod.Manual])
        {
            var fresh = NewCharge(method);
            var known = fresh with
            {
                Charge = fresh.Charge with { ProviderReference = "pay_before", Card = new CardDetails("mc", "1111", "FR") },
                Attempt = fresh.Attempt with { ProviderReference = "pay_before" },
            };

            var silent = ChargeRules.Apply(known, new PaymentAnswer(result), Terms, Now).After;
            var told = ChargeRules.Apply(known, new PaymentAnswer(result, "pay_told", Card: Card) { ExpiresAt = Now.AddDays(3) }, Terms, Now).After;

            Assert.Equal(("pay_before", "pay_before", "1111"), (silent.Attempt.ProviderReference, silent.Charge.ProviderReference, silent.Charge.Card!.Last4));
            Assert.Equal(("pay_told", "pay_told"), (told.Attempt.ProviderReference, told.Charge.ProviderReference));
            if (told.Attempt.Status is not (AttemptStatus.Unknown or AttemptStatus.Pending))
                Assert.Equal(Card, told.Charge.Card);
            if (told.Charge.Status is ChargeStatus.Authorized or ChargeStatus.RequiresAction)
            {
                Assert.Equal(Now.AddDays(3), told.Charge.ExpiresAt);
                Assert.Equal(Now + ChargeRules.AuthorizationLifetime, silent.Charge.ExpiresAt);
            }
        }
    }

    [Theory]
    [InlineData(PaymentResult.Unknown, RefundStatus.Processing)]
    [InlineData(PaymentResult.Pending, RefundStatus.Pending)]
    [InlineData(PaymentResult.Succeeded, RefundStatus.Succeeded)]
    [InlineData(PaymentResult.Declined, RefundStatus.Failed)]
    [InlineData(PaymentResult.NotSent, RefundStatus.Failed)]
    public void Apply_AnswerOfARefund_TakesTheProvidersIdAndKeepsItWhereItIsLeftOut(PaymentResult result, RefundStatus expected)
    {
        var captured = ChargeRules.Apply(NewCharge(), new PaymentAnswer(PaymentResult.Succeeded, "pay_1"), Terms, Now).After.Charge;
        var begun = Begin(captured, PaymentOperation.Refund, 4_000);
        var known = begun with { Refund = begun.Refund! with { ProviderReference = "rfd_before" }, Attempt = begun.Attempt with { ProviderReference = "rfd_before" } };

        var silent = ChargeRules.Apply(known, new PaymentAnswer(result), Terms, Now).After;
        var told = ChargeRules.Apply(known, new PaymentAnswer(result, "rfd_told"), Terms, Now).After;

        Assert.Equal(("rfd_before", "rfd_before", expected), (silent.Refund!.ProviderReference, silent.Attempt.ProviderReference, silent.Refund.Status));
        Assert.Equal(("rfd_told", "rfd_told", expected), (told.Refund!.ProviderReference, told.Attempt.ProviderReference, told.Refund.Status));
        Assert.Equal("pay_1", told.Charge.ProviderReference);
    }

    [Theory]
    [InlineData(null, DeclineCode.DoNotHonor)]
    [InlineData(DeclineCode.LostCard, DeclineCode.LostCard)]
    public void Apply_Declined_SaysWhyOrThatNobodyKnows(DeclineCode? told, DeclineCode expected)
    {
        var declined = ChargeRules.Apply(NewCharge(), new PaymentAnswer(PaymentResult.Declined, "pay_1", told), Terms, Now).After;

        Assert.Equal((expected, expected), (declined.Charge.Decline, declined.Attempt.Decline));
    }

    [Theory]
    [InlineData(null, "processing_error")]
    [InlineData(DeclineCode.InvalidAccount, "invalid_account")]
    public void Apply_RefundTakenBack_SaysWhyOrThatNobodyKnows(DeclineCode? told, string expected)
    {
        var captured = ChargeRules.Apply(NewCharge(), new PaymentAnswer(PaymentResult.Succeeded, "pay_1"), Terms, Now).After.Charge;
        var refunded = Succeed(Begin(captured, PaymentOperation.Refund, 4_000));

        var back = ChargeRules.Apply(refunded, new PaymentAnswer(PaymentResult.Declined, null, told), Terms, Now);

        Assert.Equal((expected, "refund.failed"), (back.After.Refund!.FailureCode, back.Event));
        Assert.Equal(refunded.Attempt.ProviderReference, back.After.Attempt.ProviderReference);
    }

    [Theory]
    [InlineData(PaymentResult.Unknown, "charge.processing")]
    [InlineData(PaymentResult.RequiresAction, "charge.requires_action")]
    [InlineData(PaymentResult.Authorized, "charge.authorized")]
    [InlineData(PaymentResult.Declined, "charge.declined")]
    [InlineData(PaymentResult.NotSent, "charge.declined")]
    [InlineData(PaymentResult.Canceled, "charge.canceled")]
    [InlineData(PaymentResult.Expired, "charge.expired")]
    public void Apply_AnswerOfAHeldCharge_NamesItsEvent(PaymentResult result, string expected) =>
        Assert.Equal(expected, ChargeRules.Apply(NewCharge(CaptureMethod.Manual), new PaymentAnswer(result, "pay_1"), Terms, Now).Event);

    [Theory]
    [InlineData(PaymentOperation.Capture, PaymentResult.Succeeded, "charge.captured")]
    [InlineData(PaymentOperation.Capture, PaymentResult.Declined, "charge.capture_failed")]
    [InlineData(PaymentOperation.Capture, PaymentResult.NotSent, "charge.capture_failed")]
    [InlineData(PaymentOperation.Cancel, PaymentResult.Succeeded, "charge.canceled")]
    [InlineData(PaymentOperation.Cancel, PaymentResult.Declined, "charge.cancel_failed")]
    [InlineData(PaymentOperation.Cancel, PaymentResult.NotSent, "charge.cancel_failed")]
    [InlineData(PaymentOperation.Cancel, PaymentResult.Unknown, null)]
    [InlineData(PaymentOperation.Capture, PaymentResult.Unknown, null)]
    public void Apply_AnswerOfAnOperation_NamesItsEvent(PaymentOperation operation, PaymentResult result, string? expected)
    {
        var authorized = ChargeRules.Apply(NewCharge(CaptureMethod.Manual), new PaymentAnswer(PaymentResult.Authorized, "pay_1"), Terms, Now).After;

        Assert.Equal(expected, ChargeRules.Apply(Begin(authorized.Charge, operation, 10_000), new PaymentAnswer(result, "pay_1"), Terms, Now).Event);
    }

    [Fact]
    public void Apply_AnswersOfARefund_NameTheirEventsAndRepeatNone()
    {
        var captured = ChargeRules.Apply(NewCharge(), new PaymentAnswer(PaymentResult.Succeeded, "pay_1"), Terms, Now).After.Charge;
        var begun = Begin(captured, PaymentOperation.Refund, 4_000);

        var unknown = ChargeRules.Apply(begun, PaymentAnswer.Unknown("time-out"), Terms, Now);
        var again = ChargeRules.Apply(unknown.After, PaymentAnswer.Unknown("time-out"), Terms, Now);
        var pending = ChargeRules.Apply(again.After, new PaymentAnswer(PaymentResult.Pending, "rfd_1"), Terms, Now);
        var succeeded = ChargeRules.Apply(pending.After, new PaymentAnswer(PaymentResult.Succeeded, "rfd_1"), Terms, Now);

        Assert.Equal(
            ("refund.processing", null, "refund.pending", "refund.succeeded"), (unknown.Event, again.Event, pending.Event, succeeded.Event));
        Assert.Equal("refund.failed", ChargeRules.Apply(begun, new PaymentAnswer(PaymentResult.Declined), Terms, Now).Event);
    }

    [Fact]
    public void Apply_ExpiryDeclined_TellsNobody()
    {
        var authorized = ChargeRules.Apply(NewCharge(CaptureMethod.Manual), new PaymentAnswer(PaymentResult.Authorized, "pay_1"), Terms, Now).After;
        var begun = Begin(authorized.Charge, PaymentOperation.Cancel, 10_000);
        var expiry = begun with { Attempt = begun.Attempt with { IsExpiry = true } };

        Assert.Null(ChargeRules.Apply(expiry, PaymentAnswer.Declined(DeclineCode.InvalidRequest), Terms, Now).Event);
        Assert.Equal("charge.expired", ChargeRules.Apply(expiry, new PaymentAnswer(PaymentResult.Succeeded), Terms, Now).Event);
    }

    [Fact]
    public void Apply_HeldPaymentFoundCaptured_IsAuthorizedForTheAmountIsNotTold()
    {
        var found = ChargeRules.Apply(NewCharge(CaptureMethod.Manual), new PaymentAnswer(PaymentResult.Succeeded, "pay_1"), Terms, Now);

        Assert.Equal((ChargeStatus.Authorized, Zero), (found.After.Charge.Status, found.After.Charge.Captured));
        Assert.Null(found.Journal);
        Assert.True(ChargeRules.Apply(found.After, new PaymentAnswer(PaymentResult.Succeeded, "pay_1"), Terms, Now).Contradicts);
    }

    [Fact]
    public void Apply_CapturedPaymentToldAsCanceled_IsAContradiction()
    {
        var captured = ChargeRules.Apply(NewCharge(), new PaymentAnswer(PaymentResult.Succeeded, "pay_1"), Terms, Now).After;

        var told = ChargeRules.Apply(captured, new PaymentAnswer(PaymentResult.Canceled, "pay_1"), Terms, Now);

        Assert.True(told.Contradicts);
        Assert.Equal(captured, told.After);
    }

    [Fact]
    public void Apply_SameAnswerTwice_ChangesNothingTheSecondTime()
    {
        var answer = new PaymentAnswer(PaymentResult.Succeeded, "pay_1");
        var first = ChargeRules.Apply(NewCharge(), answer, Terms, Now);

        var second = ChargeRules.Apply(first.After, answer, Terms, Now.AddSeconds(1));

        Assert.False(second.Changed);
        Assert.False(second.Contradicts);
        Assert.Null(second.Journal);
        Assert.Equal(first.After, second.After);
    }

    [Fact]
    public void Apply_Unknown_IsProcessingAndAskedAboutLater()
    {
        var effect = ChargeRules.Apply(NewCharge(), PaymentAnswer.Unknown("time-out"), Terms, Now);

        Assert.Equal(ChargeStatus.Processing, effect.After.Charge.Status);
        Assert.Equal(AttemptStatus.Unknown, effect.After.Attempt.Status);
        Assert.Equal(Now.AddSeconds(5), effect.After.Attempt.NextCheckAt);
        Assert.Null(effect.Journal);
    }

    [Fact]
    public void Apply_AuthorizedOnTheWayToCapture_WaitsForTheCapture()
    {
        var authorized = ChargeRules.Apply(NewCharge(), new PaymentAnswer(PaymentResult.Authorized, "pay_1"), Terms, Now);
        Assert.False(authorized.After.Attempt.IsSettled);
        Assert.Null(authorized.Journal);

        var captured = ChargeRules.Apply(authorized.After, new PaymentAnswer(PaymentResult.Succeeded, "pay_1"), Terms, Now);

        Assert.Equal(ChargeStatus.Captured, captured.After.Charge.Status);
        Assert.NotNull(captured.Journal);
    }

    [Fact]
    public void Apply_SuccessAfterDecline_IsAContradictionThatMovesNothing()
    {
        var declined = ChargeRules.Apply(NewCharge(), PaymentAnswer.Declined(DeclineCode.LostCard), Terms, Now);

        var late = ChargeRules.Apply(declined.After, new PaymentAnswer(PaymentResult.Succeeded, "pay_1"), Terms, Now);

        Assert.Equal((ChargeStatus.Declined, DeclineCode.LostCard), (declined.After.Charge.Status, declined.After.Charge.Decline));
        Assert.True(late.Contradicts);
        Assert.False(late.Changed);
        Assert.Equal(declined.After, late.After);
    }

    [Fact]
    public void Apply_AuthenticationPassed_CapturesAndForgetsTheRedirect()
    {
        var waiting = ChargeRules.Apply(NewCharge(), new PaymentAnswer(PaymentResult.RequiresAction, "pay_1", RedirectUrl: "https://acs.example"), Terms, Now);
        Assert.Equal((ChargeStatus.RequiresAction, "https://acs.example"), (waiting.After.Charge.Status, waiting.After.Charge.RedirectUrl));

        var passed = ChargeRules.Apply(waiting.After, new PaymentAnswer(PaymentResult.Succeeded, "pay_1"), Terms, Now);

        Assert.Equal(ChargeStatus.Captured, passed.After.Charge.Status);
        Assert.Null(passed.After.Charge.RedirectUrl);
    }

    [Fact]
    public void Apply_NothingButUnknownAfterRequiresAction_KeepsWaitingForTheCustomer()
    {
        var waiting = ChargeRules.Apply(NewCharge(), new PaymentAnswer(PaymentResult.RequiresAction, "pay_1", RedirectUrl: "https://acs.example"), Terms, Now);

        var asked = ChargeRules.Apply(waiting.After, PaymentAnswer.Unknown("time-out"), Terms, Now.AddMinutes(1));

        Assert.Equal(ChargeStatus.RequiresAction, asked.After.Charge.Status);
        Assert.Equal(AttemptStatus.RequiresAction, asked.After.Attempt.Status);
    }

    [Fact]
    public void Apply_AuthorizationToldAfterTheCancelThatFollowedIt_IsOldNewsAndTheEndIsStillAskedFor()
    {
        var waiting = ChargeRules.Apply(NewCharge(CaptureMethod.Manual), new PaymentAnswer(PaymentResult.RequiresAction, "pay_1", RedirectUrl: "https://acs.example"), Terms, Now).After;
        var canceled = Succeed(Begin(waiting.Charge, PaymentOperation.Cancel, 10_000)).Charge;
        Assert.Equal(ChargeStatus.Canceled, canceled.Status);

        // The customer had passed, the processor had told nobody yet, and then it took our cancel.
        var late = ChargeRules.Apply(waiting with { Charge = canceled }, new PaymentAnswer(PaymentResult.Authorized, "pay_1"), Terms, Now.AddSeconds(20));

        Assert.False(late.Contradicts);
        Assert.Equal(canceled, late.After.Charge);
        Assert.False(late.After.Attempt.IsSettled);
        Assert.True(late.After.Attempt.NextCheckAt > Now.AddSeconds(20));

        var end = ChargeRules.Apply(late.After, new PaymentAnswer(PaymentResult.Canceled, "pay_1"), Terms, Now.AddSeconds(40));
        Assert.True(end.After.Attempt.IsSettled);
        Assert.Equal(ChargeStatus.Canceled, end.After.Charge.Status);
    }

    [Fact]
    public void Apply_PartialCaptures_AddUpToTheWhole()
    {
        var authorized = ChargeRules.Apply(NewCharge(CaptureMethod.Manual), new PaymentAnswer(PaymentResult.Authorized, "pay_1"), Terms, Now).After;
        Assert.Equal(Eur(10_000), authorized.Charge.Capturable);

        var first = Succeed(Begin(authorized.Charge, PaymentOperation.Capture, 4_000));
        Assert.Equal((ChargeStatus.PartiallyCaptured, Eur(6_000)), (first.Charge.Status, first.Charge.Capturable));
        var second = Succeed(Begin(first.Charge, PaymentOperation.Capture, 6_000));

        Assert.Equal((ChargeStatus.Captured, Eur(10_000), Zero), (second.Charge.Status, second.Charge.Captured, second.Charge.Capturable));
    }

    [Fact]
    public void Apply_RestCanceledAfterPartialCapture_EndsCaptured()
    {
        var authorized = ChargeRules.Apply(NewCharge(CaptureMethod.Manual), new PaymentAnswer(PaymentResult.Authorized, "pay_1"), Terms, Now).After;
        var captured = Succeed(Begin(authorized.Charge, PaymentOperation.Capture, 4_000));

        var end = Succeed(Begin(captured.Charge, PaymentOperation.Cancel, 6_000));

        Assert.Equal((ChargeStatus.Captured, Eur(4_000), Eur(6_000)), (end.Charge.Status, end.Charge.Captured, end.Charge.Canceled));
    }

    [Fact]
    public void Apply_FailedRefund_CanBeRefundedAgain()
    {
        var captured = ChargeRules.Apply(NewCharge(), new PaymentAnswer(PaymentResult.Succeeded, "pay_1"), Terms, Now).After.Charge;
        var refunding = Begin(captured, PaymentOperation.Refund, 10_000);
        Assert.Equal(Zero, refunding.Charge.Refundable);

        var failed = ChargeRules.Apply(refunding, PaymentAnswer.Declined(DeclineCode.InvalidAccount), Terms, Now);

        Assert.Equal(Eur(10_000), failed.After.Charge.Refundable);
        Assert.Equal((RefundStatus.Failed, "invalid_account"), (failed.After.Refund!.Status, failed.After.Refund.FailureCode));
        Assert.Null(failed.Journal);
    }

    [Fact]
    public void Apply_FinalCapture_GivesTheRestBack()
    {
        var authorized = ChargeRules.Apply(NewCharge(CaptureMethod.Manual), new PaymentAnswer(PaymentResult.Authorized, "pay_1"), Terms, Now).After;
        var begun = Begin(authorized.Charge, PaymentOperation.Capture, 4_000);
        begun = begun with { Charge = begun.Charge with { Canceling = Eur(6_000) }, Attempt = begun.Attempt with { Released = Eur(6_000) } };

        var end = Succeed(begun);
        var failed = ChargeRules.Apply(begun, PaymentAnswer.Declined(DeclineCode.ProcessingError), Terms, Now).After;

        Assert.Equal((ChargeStatus.Captured, Eur(4_000), Eur(6_000), Zero), (end.Charge.Status, end.Charge.Captured, end.Charge.Canceled, end.Charge.Canceling));
        Assert.Equal((ChargeStatus.Authorized, Eur(10_000)), (failed.Charge.Status, failed.Charge.Capturable));
    }

    [Fact]
    public void Apply_RefundReportedFailedAfterItSucceeded_PostsItsReversalOnce()
    {
        var captured = ChargeRules.Apply(NewCharge(), new PaymentAnswer(PaymentResult.Succeeded, "pay_1"), Terms, Now).After.Charge;
        var refunded = Succeed(Begin(captured, PaymentOperation.Refund, 4_000));
        Assert.Equal(Eur(4_000), refunded.Charge.Refunded);

        var back = ChargeRules.Apply(refunded, PaymentAnswer.Declined(DeclineCode.InvalidAccount, reference: "rfd_1"), Terms, Now);
        var again = ChargeRules.Apply(back.After, PaymentAnswer.Declined(DeclineCode.InvalidAccount, reference: "rfd_1"), Terms, Now);
        var late = ChargeRules.Apply(back.After, new PaymentAnswer(PaymentResult.Succeeded, "rfd_1"), Terms, Now);

        Assert.Equal((Zero, Eur(10_000)), (back.After.Charge.Refunded, back.After.Charge.Refundable));
        Assert.Equal((RefundStatus.Failed, "refund.failed"), (back.After.Refund!.Status, back.Event));
        var transfer = Assert.Single(back.Journal!.Transfers);
        Assert.Equal((Eur(4_000), Eur(4_000)), (transfer.Amount, back.BalanceTransaction!.Net));
        Assert.False(again.Changed || again.Contradicts || late.Changed || late.Contradicts);
    }

    [Fact]
    public void Apply_RefundRefusedAtOnceThenReportedSucceeded_IsAContradiction()
    {
        var captured = ChargeRules.Apply(NewCharge(), new PaymentAnswer(PaymentResult.Succeeded, "pay_1"), Terms, Now).After.Charge;
        var refused = ChargeRules.Apply(Begin(captured, PaymentOperation.Refund, 4_000), PaymentAnswer.Declined(DeclineCode.InvalidRequest), Terms, Now).After;

        Assert.True(ChargeRules.Apply(refused, new PaymentAnswer(PaymentResult.Succeeded, "rfd_1"), Terms, Now).Contradicts);
    }

    [Theory]
    [InlineData(PaymentResult.Expired, ChargeStatus.Expired, "charge.expired")]
    [InlineData(PaymentResult.Canceled, ChargeStatus.Canceled, "charge.canceled")]
    public void Apply_AuthorizationLapsedAtTheProvider_EndsTheChargeOnce(PaymentResult result, ChargeStatus status, string name)
    {
        var authorized = ChargeRules.Apply(NewCharge(CaptureMethod.Manual), new PaymentAnswer(PaymentResult.Authorized, "pay_1"), Terms, Now).After;
        Assert.Equal(Now + ChargeRules.AuthorizationLifetime, authorized.Charge.ExpiresAt);

        var end = ChargeRules.Apply(authorized, new PaymentAnswer(result, "pay_1"), Terms, Now);
        var again = ChargeRules.Apply(end.After, new PaymentAnswer(result, "pay_1"), Terms, Now);

        Assert.Equal((status, Eur(10_000), name), (end.After.Charge.Status, end.After.Charge.Canceled, end.Event));
        Assert.False(again.Changed);
    }

    [Fact]
    public void Apply_LapsedWhileACaptureIsUnderWay_LeavesTheEndToTheCapture()
    {
        var authorized = ChargeRules.Apply(NewCharge(CaptureMethod.Manual), new PaymentAnswer(PaymentResult.Authorized, "pay_1"), Terms, Now).After;
        var capturing = Begin(authorized.Charge, PaymentOperation.Capture, 4_000);

        var lapsed = ChargeRules.Apply(authorized with { Charge = capturing.Charge }, new PaymentAnswer(PaymentResult.Expired, "pay_1"), Terms, Now);

        Assert.False(lapsed.Changed);
        Assert.Equal(ChargeStatus.PartiallyCaptured, Succeed(capturing).Charge.Status);
    }

    [Fact]
    public void Apply_CanceledWhileTheCustomerWasAsked_EndsCanceledWhateverComesFirst()
    {
        var waiting = ChargeRules.Apply(NewCharge(), new PaymentAnswer(PaymentResult.RequiresAction, "pay_1", RedirectUrl: "https://acs.example"), Terms, Now).After;
        var canceling = Begin(waiting.Charge, PaymentOperation.Cancel, 10_000);

        var own = Succeed(canceling);
        var told = ChargeRules.Apply(waiting with { Charge = own.Charge }, new PaymentAnswer(PaymentResult.Canceled, "pay_1"), Terms, Now);
        var first = ChargeRules.Apply(waiting with { Charge = canceling.Charge }, new PaymentAnswer(PaymentResult.Canceled, "pay_1"), Terms, Now);
        var then = Succeed(canceling with { Charge = first.After.Charge });

        Assert.Equal((ChargeStatus.Canceled, Zero, (string?)null), (own.Charge.Status, own.Charge.Canceling, own.Charge.RedirectUrl));
        Assert.Equal((ChargeStatus.Canceled, AttemptStatus.Failed, (string?)null), (told.After.Charge.Status, told.After.Attempt.Status, told.Event));
        Assert.Equal((ChargeStatus.Canceled, Zero), (then.Charge.Status, then.Charge.Canceling));
    }

    [Fact]
    public void Apply_CapturedWhileItWasBeingCanceled_StaysCapturedWhenTheCancelIsRefused()
    {
        var waiting = ChargeRules.Apply(NewCharge(), new PaymentAnswer(PaymentResult.RequiresAction, "pay_1", RedirectUrl: "https://acs.example"), Terms, Now).After;
        var canceling = Begin(waiting.Charge, PaymentOperation.Cancel, 10_000);

        var captured = ChargeRules.Apply(waiting with { Charge = canceling.Charge }, new PaymentAnswer(PaymentResult.Succeeded, "pay_1"), Terms, Now).After;
        var refused = ChargeRules.Apply(canceling with { Charge = captured.Charge }, PaymentAnswer.Declined(DeclineCode.InvalidRequest), Terms, Now);
        var impossible = ChargeRules.Apply(canceling with { Charge = captured.Charge }, new PaymentAnswer(PaymentResult.Succeeded, "can_1"), Terms, Now);

        Assert.Equal((ChargeStatus.Captured, Zero), (refused.After.Charge.Status, refused.After.Charge.Canceling));
        Assert.True(impossible.Contradicts);
        Assert.Equal(captured.Charge, impossible.After.Charge);
    }

    /// <summary>Every operation in every state meets every answer: nothing throws, no amount falls below zero or beyond the charge, money moves only with a journal.</summary>
    [Fact]
    public void Apply_EveryAnswerInEveryState_KeepsTheSums()
    {
        var answers = Enum.GetValues<PaymentResult>().Select(result => new PaymentAnswer(result, "x_1", result is PaymentResult.Declined ? DeclineCode.DoNotHonor : null, "https://acs.example")).ToList();
        foreach (var status in Enum.GetValues<ChargeStatus>())
        {
            foreach (var attemptStatus in Enum.GetValues<AttemptStatus>())
            {
                foreach (var operation in Enum.GetValues<PaymentOperation>())
                {
                    foreach (var refundStatus in Enum.GetValues<RefundStatus>())
                    {
                        foreach (var answer in answers)
                        {
                            var before = InState(status, operation, attemptStatus, refundStatus);
                            var effect = ChargeRules.Apply(before, answer, Terms, Now.AddMinutes(1));
                            Check(before, effect);
                        }
                    }
                }
            }
        }
    }

    private static void Check(ChargeState before, ChargeEffect effect)
    {
        var (from, to) = (before.Charge, effect.After.Charge);
        Assert.True(from.Status == to.Status || ChargeTransitions.Allows(from.Status, to.Status), $"{from.Status} to {to.Status}");
        if (effect.After.Refund is { } refund)
            Assert.True(before.Refund!.Status == refund.Status || RefundTransitions.Allows(before.Refund.Status, refund.Status), $"{before.Refund.Status} to {refund.Status}");
        foreach (var amount in (Money[])[to.Authorized, to.Captured, to.Capturing, to.Canceled, to.Canceling, to.Refunding, to.Refunded])
            Assert.False(amount.IsNegative, $"{before} to {effect.After}");
        Assert.True(to.Captured + to.Capturing + to.Canceled <= to.Amount, $"{before} to {effect.After}");
        Assert.True(to.Refunded + to.Refunding <= to.Captured, $"{before} to {effect.After}");
        Assert.Equal(effect.Journal is not null, from.Captured != to.Captured || from.Refunded != to.Refunded);
        Assert.Equal(effect.Journal is not null, effect.BalanceTransaction is not null);
        if (!effect.Changed)
            Assert.Equal(before, effect.After);
        if (effect.Contradicts)
            Assert.False(effect.Changed);
    }

    // A state as it can really be: the sums follow from the statuses.
    private static ChargeState InState(ChargeStatus status, PaymentOperation operation, AttemptStatus attempt, RefundStatus refund)
    {
        var settled = attempt is AttemptStatus.Succeeded or AttemptStatus.Declined or AttemptStatus.Failed;
        var held = status is ChargeStatus.Authorized or ChargeStatus.PartiallyCaptured or ChargeStatus.Captured;
        var charge = NewCharge(CaptureMethod.Manual).Charge with
        {
            Status = status,
            Authorized = held ? Eur(10_000) : Zero,
            Captured = status is ChargeStatus.PartiallyCaptured ? Eur(4_000) : status is ChargeStatus.Captured ? Eur(operation is PaymentOperation.Capture ? 6_000 : 10_000) : Zero,
        };
        charge = operation switch
        {
            PaymentOperation.Capture when !settled && held => charge with { Capturing = Eur(2_000) },
            PaymentOperation.Cancel when !settled => charge with { Canceling = Eur(2_000) },
            PaymentOperation.Refund when charge.Captured.IsPositive && !settled => charge with { Refunding = Eur(2_000) },
            PaymentOperation.Refund when charge.Captured.IsPositive && attempt is AttemptStatus.Succeeded => charge with { Refunded = Eur(2_000) },
            _ => charge,
        };

        // An operation cannot have been begun where there was nothing to take.
        var amount = operation is PaymentOperation.Charge ? 10_000 : 2_000;
        var possible = operation switch
        {
            PaymentOperation.Capture => held,
            PaymentOperation.Refund => charge.Captured.IsPositive,
            PaymentOperation.Cancel or PaymentOperation.Charge => true,
        };
        if (!possible)
            operation = PaymentOperation.Charge;
        var made = operation is PaymentOperation.Refund
            ? new Refund(Merchant, PrefixedId.New<RefundId>(Now), charge.Id, settled ? (attempt is AttemptStatus.Succeeded ? RefundStatus.Succeeded : RefundStatus.Failed) : refund is RefundStatus.Pending ? refund : RefundStatus.Processing, Eur(2_000), null, null, null, "{}", Now, Now)
            : null;
        return new ChargeState(charge, NewAttempt(charge, operation, possible ? amount : 10_000, made?.Id) with { Status = attempt, NextCheckAt = settled ? null : Now }, made);
    }

    [Fact]
    public void Apply_AnyAnswersInAnyOrder_MovesTheMoneyAtMostOnceAndStaysSettled()
    {
        var answers = Gen.Elements(
            PaymentAnswer.Unknown("time-out"), new PaymentAnswer(PaymentResult.Pending, "pay_1"), new PaymentAnswer(PaymentResult.Authorized, "pay_1"),
            new PaymentAnswer(PaymentResult.RequiresAction, "pay_1", RedirectUrl: "https://acs.example"), new PaymentAnswer(PaymentResult.Succeeded, "pay_1"),
            PaymentAnswer.Declined(DeclineCode.DoNotHonor), PaymentAnswer.NotSent("refused"), new PaymentAnswer(PaymentResult.Canceled, "pay_1"), new PaymentAnswer(PaymentResult.Expired, "pay_1"));

        Prop.ForAll(answers.ListOf().Select(list => list.ToArray()).ToArbitrary(), sequence =>
        {
            var state = NewCharge();
            var journals = 0;
            ChargeState? settled = null;
            foreach (var answer in sequence)
            {
                var effect = ChargeRules.Apply(state, answer, Terms, Now);
                state = effect.After;
                journals += effect.Journal is null ? 0 : 1;
                if (settled is not null)
                    Assert.Equal(settled, state);
                if (state.Attempt.IsSettled)
                    settled ??= state;
                else
                    Assert.NotNull(state.Attempt.NextCheckAt);
            }

            Assert.Equal(state.Charge.Status is ChargeStatus.Captured ? 1 : 0, journals);
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData(0, 5)]
    [InlineData(1, 10)]
    [InlineData(6, 320)]
    [InlineData(20, 3600)]
    [InlineData(1000, 3600)]
    public void NextCheck_Pauses_DoubleUpToAnHour(int checks, int seconds) => Assert.Equal(Now.AddSeconds(seconds), ChargeRules.NextCheck(checks, Now));

    private static Money Eur(long amount) => new(amount, Currency.Eur);

    private static ChargeState NewCharge(CaptureMethod method = CaptureMethod.Automatic)
    {
        var charge = new Charge(
            Merchant, PrefixedId.New<ChargeId>(Now), ChargeStatus.Pending, Eur(10_000), method, Zero, Zero, Zero, Zero, Zero, Zero, Zero, "tok_visa", "sandbox", null, null, null, null,
            null, null, null, "{}", Now, Now, null);
        return new ChargeState(charge, NewAttempt(charge, PaymentOperation.Charge, 10_000, null), null);
    }

    // What the intent of an operation does: the limit is taken before the processor is asked.
    private static ChargeState Begin(Charge charge, PaymentOperation operation, long amount)
    {
        var refund = operation is PaymentOperation.Refund
            ? new Refund(Merchant, PrefixedId.New<RefundId>(Now), charge.Id, RefundStatus.Pending, Eur(amount), null, null, null, "{}", Now, Now)
            : null;
        var taken = operation switch
        {
            PaymentOperation.Capture => charge with { Capturing = charge.Capturing + Eur(amount) },
            PaymentOperation.Cancel => charge with { Canceling = charge.Canceling + Eur(amount) },
            PaymentOperation.Refund => charge with { Refunding = charge.Refunding + Eur(amount) },
            PaymentOperation.Charge => charge,
        };
        return new ChargeState(taken, NewAttempt(charge, operation, amount, refund?.Id), refund);
    }

    private static ChargeState Succeed(ChargeState state) => ChargeRules.Apply(state, new PaymentAnswer(PaymentResult.Succeeded, "op_1"), Terms, Now).After;

    private static Attempt NewAttempt(Charge charge, PaymentOperation operation, long amount, RefundId? refund) => new(
        Merchant, PrefixedId.New<AttemptId>(Now), charge.Id, refund, operation, AttemptStatus.Started, "sandbox", Eur(amount), null, null, "key", 0, Now + ChargeRules.FirstCheck, Now, null);
}
