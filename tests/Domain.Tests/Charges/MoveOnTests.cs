using Payments.Domain.Charges;
using Payments.Domain.Pricing;
using Payments.Domain.Providers;
using Payments.Domain.Providers.Routing;

namespace Payments.Domain.Tests.Charges;

/// <summary>A charge that goes on to another provider, over the whole matrix of where it stands and what is answered.</summary>
public sealed class MoveOnTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly SettlementTerms Terms = new(FeePlan.Standard, new DateOnly(2026, 3, 3));

    [Fact]
    public void MoveOn_WholeMatrix_OnlyAnOpenTryOfAPendingChargeAfterAKnownEnd()
    {
        foreach (var status in Enum.GetValues<ChargeStatus>())
        {
            foreach (var attempt in Enum.GetValues<AttemptStatus>())
            {
                foreach (var operation in Enum.GetValues<PaymentOperation>())
                {
                    foreach (var result in Enum.GetValues<PaymentResult>())
                    {
                        foreach (var code in (DeclineCode[])[DeclineCode.DoNotHonor, DeclineCode.StolenCard])
                        {
                            var before = State(status, attempt, operation);
                            var answer = new PaymentAnswer(result, "pay_1", code);
                            var effect = ChargeRules.MoveOn(before, answer, Next(before), Now);

                            var open = attempt is not (AttemptStatus.Succeeded or AttemptStatus.Declined or AttemptStatus.Failed);
                            var expected = status is ChargeStatus.Pending && open && operation is PaymentOperation.Charge && Route.MayGoOn(answer);
                            Assert.Equal((status, attempt, operation, result, code, expected), (status, attempt, operation, result, code, effect is not null));
                            if (effect is not null)
                            {
                                Assert.Equal(("second", "tok_second", ChargeStatus.Pending), (effect.After.Charge.Provider, effect.After.Charge.PaymentToken, effect.After.Charge.Status));
                                Assert.True(effect.After.Attempt.IsSettled);
                                Assert.Equal((null, null, null), (effect.Journal, effect.BalanceTransaction, effect.Event));
                            }
                        }
                    }
                }
            }
        }
    }

    /// <summary>What the first provider tells afterwards changes nothing of the charge, whatever became of it at the second.</summary>
    [Fact]
    public void Apply_AnyAnswerOfASupersededTry_LeavesTheChargeAlone()
    {
        foreach (var status in Enum.GetValues<ChargeStatus>())
        {
            foreach (var result in Enum.GetValues<PaymentResult>())
            {
                var before = State(status, AttemptStatus.Declined, PaymentOperation.Charge);
                before = before with { Charge = before.Charge with { Provider = "second" } };

                var effect = ChargeRules.Apply(before, new PaymentAnswer(result, "pay_1", DeclineCode.DoNotHonor), Terms, Now);

                Assert.False(effect.Changed);
                Assert.Equal(before, effect.After);
                Assert.Equal((result, result is PaymentResult.Succeeded or PaymentResult.Authorized), (result, effect.Contradicts));
            }
        }
    }

    private static NextAttempt Next(ChargeState before) => new(before.Attempt with { Id = PrefixedId.New<AttemptId>(Now.AddSeconds(1)), Provider = "second" }, "tok_second");

    private static ChargeState State(ChargeStatus status, AttemptStatus attempt, PaymentOperation operation)
    {
        var zero = Money.Zero(Currency.Eur);
        var merchant = PrefixedId.New<MerchantId>(Now);
        var amount = new Money(1000, Currency.Eur);
        var charge = new Charge(
            merchant, PrefixedId.New<ChargeId>(Now), status, amount, CaptureMethod.Automatic, zero, zero, zero, zero, zero, zero, zero, "tok_first", "first", null, null, null, null,
            null, null, null, "{}", Now, Now, null);
        return new ChargeState(
            charge, new Attempt(merchant, PrefixedId.New<AttemptId>(Now), charge.Id, null, operation, attempt, "first", amount, null, null, "key", 0, Now, Now, null), null);
    }
}
