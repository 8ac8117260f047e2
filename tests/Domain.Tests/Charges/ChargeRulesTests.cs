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
    public void Apply_AnyAnswersInAnyOrder_MovesTheMoneyAtMostOnceAndStaysSettled()
    {
        var answers = Gen.Elements(
            PaymentAnswer.Unknown("time-out"), new PaymentAnswer(PaymentResult.Pending, "pay_1"), new PaymentAnswer(PaymentResult.Authorized, "pay_1"),
            new PaymentAnswer(PaymentResult.RequiresAction, "pay_1", RedirectUrl: "https://acs.example"), new PaymentAnswer(PaymentResult.Succeeded, "pay_1"),
            PaymentAnswer.Declined(DeclineCode.DoNotHonor), PaymentAnswer.NotSent("refused"));

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
            PaymentOperation.Cancel => charge with { Canceled = charge.Canceled + Eur(amount) },
            PaymentOperation.Refund => charge with { Refunding = charge.Refunding + Eur(amount) },
            PaymentOperation.Charge => charge,
        };
        return new ChargeState(taken, NewAttempt(charge, operation, amount, refund?.Id), refund);
    }

    private static ChargeState Succeed(ChargeState state) => ChargeRules.Apply(state, new PaymentAnswer(PaymentResult.Succeeded, "op_1"), Terms, Now).After;

    private static Attempt NewAttempt(Charge charge, PaymentOperation operation, long amount, RefundId? refund) => new(
        Merchant, PrefixedId.New<AttemptId>(Now), charge.Id, refund, operation, AttemptStatus.Started, "sandbox", Eur(amount), null, null, "key", 0, Now + ChargeRules.FirstCheck, Now, null);
}
