using FsCheck;
using FsCheck.Fluent;
using Payments.Domain.Payouts;

namespace Payments.Domain.Tests.Payouts;

public sealed class PayoutDecisionTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 20, 22, 0, 0, TimeSpan.Zero);
    private static readonly DateOnly Today = new(2026, 11, 20);

    private static PayoutPosition Ready(long available) => new(
        Currency.Eur, available, available, 1, null, PayoutReserve.None, PayoutInterval.Daily, null,
        Held: false, MerchantActive: true, HasBankAccount: true, BankAccountVerified: true, BankAccountState.Active, UsableFrom: null);

    public static TheoryData<PayoutPosition, PayoutRefusal> Refused => new()
    {
        { Ready(100) with { Held = true, MerchantActive = false }, PayoutRefusal.Held },
        { Ready(100) with { MerchantActive = false, HasBankAccount = false }, PayoutRefusal.MerchantNotActive },
        { Ready(100) with { Interval = PayoutInterval.Manual }, PayoutRefusal.ManualSchedule },
        { Ready(100) with { Interval = PayoutInterval.Weekly, DueOn = Today.AddDays(1), HasBankAccount = false }, PayoutRefusal.NotDue },
        { Ready(100) with { HasBankAccount = false, BankAccountVerified = false }, PayoutRefusal.NoBankAccount },
        { Ready(100) with { BankAccountVerified = false }, PayoutRefusal.BankAccountNotVerified },
        { Ready(100) with { UsableFrom = Now.AddTicks(1) }, PayoutRefusal.BankAccountCooling },
        { Ready(100) with { BankAccountState = BankAccountState.Errored }, PayoutRefusal.BankAccountErrored },
        { Ready(100) with { BankAccountReachable = false, Payee = PayeePolicy.Block }, PayoutRefusal.BankAccountUnreachable },
        { Ready(100) with { Payee = PayeePolicy.Block, BankAccountVerified = false }, PayoutRefusal.PayeeBlocked },
        { Ready(100) with { Payee = PayeePolicy.Hold, BankAccountVerified = false }, PayoutRefusal.PayeeHeld },
        { Ready(0), PayoutRefusal.NothingAvailable },
        { Ready(-1), PayoutRefusal.NegativeBalance },
        { Ready(99) with { Minimum = 100 }, PayoutRefusal.BelowMinimum },
        { Ready(99) with { Reserve = new(0, 0, 99) }, PayoutRefusal.KeptInReserve },
        { Ready(99) with { Reserve = new(10_000, 30, 0) }, PayoutRefusal.KeptInReserve },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void Decide_Obstacle_IsTheReason(PayoutPosition position, PayoutRefusal refusal)
    {
        var decision = PayoutRules.Decide(position, Today, Now);
        Assert.Equal((refusal, 0, 0, position.Available), (decision.Refusal, decision.Amount, decision.Reserved, decision.CarriedOver));
    }

    /// <summary>A request overrides the schedule, and nothing else that speaks against paying.</summary>
    [Theory]
    [MemberData(nameof(Refused))]
    public void DecideManual_Obstacle_IsTheReasonUnlessItIsTheSchedules(PayoutPosition position, PayoutRefusal refusal)
    {
        var decision = PayoutRules.DecideManual(position with
        {
            HasBankAccount = position.HasBankAccount
            || refusal == PayoutRefusal.NotDue
        }, null, Now);
        if (refusal is PayoutRefusal.ManualSchedule or PayoutRefusal.NotDue)
        {
            Assert.Equal(new PayoutDecision(null, position.Available, 0, 0), decision);
        }
        else
        {
            Assert.Equal((refusal, 0, 0, position.Available), (decision.Refusal, decision.Amount, decision.Reserved, decision.CarriedOver));
        }
    }

    [Fact]
    public void Decide_BalanceEqualToTheMinimum_Pays()
    {
        Assert.Equal(new PayoutDecision(null, 100, 0, 0), PayoutRules.Decide(Ready(100) with { Minimum = 100 }, Today, Now));
        Assert.Equal(new PayoutDecision(null, 100, 0, 0), PayoutRules.DecideManual(Ready(100) with { Minimum = 100 }, 100, Now));
        Assert.Equal(PayoutRefusal.BelowMinimum, PayoutRules.DecideManual(Ready(200) with { Minimum = 100 }, 99, Now).Refusal);
        Assert.Equal(PayoutRefusal.BelowMinimum, PayoutRules.Decide(Ready(100) with { Minimum = 100, Reserve = new(0, 0, 1) }, Today,
            Now).Refusal);
        Assert.Equal(new PayoutDecision(null, 1, 0, 0), PayoutRules.Decide(Ready(1) with { Minimum = 0 }, Today, Now));
    }

    [Theory]
    [InlineData(1_000, 0, 0, null, 1_000, 0, 0)]
    [InlineData(1_000, 500, 0, null, 950, 50, 0)]
    [InlineData(1_000, 500, 100, null, 850, 50, 100)]
    [InlineData(1_000, 500, 100, 300L, 300, 50, 650)]
    [InlineData(1_001, 50, 0, null, 996, 5, 0)]
    public void Decide_Available_IsDividedWithoutRemainder(long available, int basisPoints, long fixedReserve, long? maximum, long amount, long reserved, long carried)
    {
        var decision = PayoutRules.Decide(Ready(available) with { Maximum = maximum, Reserve = new(basisPoints, 30, fixedReserve) }, Today, Now);
        Assert.Equal((null, amount, reserved, carried), (decision.Refusal, decision.Amount, decision.Reserved, decision.CarriedOver));
    }

    [Fact]
    public void Decide_MissedDate_IsStillDue()
    {
        var position = Ready(100) with { Interval = PayoutInterval.Weekly, DueOn = Today.AddDays(-3) };
        Assert.True(PayoutRules.Decide(position, Today, Now).Pays);
    }

    [Fact]
    public void Decide_CoolingPeriodOver_Pays() => Assert.True(PayoutRules.Decide(Ready(100) with { UsableFrom = Now }, Today, Now).Pays);

    [Fact]
    public void DecideManual_ManualSchedule_PaysExactlyWhatWasAsked()
    {
        var position = Ready(100) with { Interval = PayoutInterval.Manual, DueOn = Today.AddDays(9) };
        Assert.Equal(new PayoutDecision(null, 40, 0, 60), PayoutRules.DecideManual(position, 40, Now));
        Assert.Equal(new PayoutDecision(null, 100, 0, 0), PayoutRules.DecideManual(position, null, Now));
        Assert.Equal(PayoutRefusal.AmountTooLarge, PayoutRules.DecideManual(position, 101, Now).Refusal);
        Assert.Equal(PayoutRefusal.Held, PayoutRules.DecideManual(position with { Held = true }, 40, Now).Refusal);
    }

    [Fact]
    public void Decide_AnyPosition_KeepsEveryUnitAndTheLimits()
    {
        var positions =
            from available in Gen.Choose(-1_000_000, 1_000_000)
            from income in Gen.Choose(-1_000_000, 2_000_000)
            from minimum in Gen.Choose(0, 10_000)
            from maximum in Gen.OneOf(Gen.Constant((long?)null), Gen.Choose(1, 500_000).Select(m => (long?)m))
            from basisPoints in Gen.Choose(0, 10_000)
            from fixedReserve in Gen.Choose(0, 100_000)
            from asked in Gen.OneOf(Gen.Constant((long?)null), Gen.Choose(1, 500_000).Select(m => (long?)m))
            select (Position: Ready(available) with { NewIncome = income, Minimum = minimum, Maximum = maximum, Reserve = new(basisPoints, 90, fixedReserve) }, Asked: asked);
        Prop.ForAll(positions.ToArbitrary(), c =>
        {
            var position = c.Position;
            PayoutDecision[] decisions = [PayoutRules.Decide(position, Today, Now), PayoutRules.DecideManual(position, c.Asked, Now)];
            return decisions.All(d =>
                d.Amount + d.Reserved + d.CarriedOver == position.Available
                && d.Pays == d.Amount > 0
                && d.Amount <= (position.Maximum ?? long.MaxValue)
                && (!d.Pays || (d.Amount >= position.Minimum && d.Reserved >= 0 && d.CarriedOver >= position.Reserve.Fixed)));
        }).QuickCheckThrowOnFailure();
    }

    // An entry of a bank file holds no more, and one larger payout would keep the others of its file from being written.
    [Theory]
    [InlineData("USD", 9_999_999_999)]
    [InlineData("EUR", 99_999_999_999)]
    public void Decide_MoreThanAnEntryHolds_CarriesTheRestOver(string currency, long largest)
    {
        var position = Ready(largest + 5) with { Currency = Currency.Of(currency), Reserve = PayoutReserve.None, Minimum = 1, Maximum = null };
        Assert.Equal(new PayoutDecision(null, largest, 0, 5), PayoutRules.Decide(position, Today, Now));
        Assert.Equal(largest, PayoutRules.Decide(position with { Available = largest }, Today, Now).Amount);
        Assert.Equal(largest, PayoutRules.Decide(position with { Maximum = largest + 1 }, Today, Now).Amount);
        Assert.Equal(PayoutRefusal.AmountTooLarge, PayoutRules.DecideManual(position, largest + 1, Now).Refusal);
        Assert.Equal(largest, PayoutRules.DecideManual(position, largest, Now).Amount);
    }

    public static TheoryData<PayoutStatus, PayoutStatus> Pairs
    {
        get
        {
            var pairs = new TheoryData<PayoutStatus, PayoutStatus>();
            foreach (var from in Enum.GetValues<PayoutStatus>())
            {
                foreach (var to in Enum.GetValues<PayoutStatus>())
                {
                    pairs.Add(from, to);
                }
            }

            return pairs;
        }
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Allows_EveryPair_IsTheDocumentedTable(PayoutStatus from, PayoutStatus to)
    {
        string[] allowed =
        [
            "Pending InTransit", "Pending Paid", "Pending Failed", "Pending Returned", "Pending Canceled",
            "InTransit Paid", "InTransit Failed", "InTransit Returned", "Paid Returned",
        ];
        Assert.Equal(allowed.Contains($"{from} {to}"), PayoutTransitions.Allows(from, to));
    }

    [Fact]
    public void Outcome_FailedAfterPaid_IsReturned()
    {
        Assert.Equal(PayoutStatus.Returned, PayoutTransitions.Outcome(PayoutStatus.Paid, PayoutStatus.Failed));
        Assert.Null(PayoutTransitions.Outcome(PayoutStatus.Paid, PayoutStatus.Paid));
        Assert.Null(PayoutTransitions.Outcome(PayoutStatus.Failed, PayoutStatus.Paid));
    }

    [Fact]
    public void Outcome_AnyOrderOfTheSameWords_ReversesAtMostOnce()
    {
        var words = Gen.Elements(PayoutStatus.InTransit, PayoutStatus.Paid, PayoutStatus.Failed, PayoutStatus.Returned).ListOf();
        Prop.ForAll(words.ToArbitrary(), said =>
        {
            var status = PayoutStatus.Pending;
            var reversals = 0;
            foreach (var word in said)
            {
                if (PayoutTransitions.Outcome(status, word) is { } next)
                {
                    reversals += PayoutTransitions.IsReversed(next) ? 1 : 0;
                    status = next;
                }
            }

            var badNews = said.Any(w => w is PayoutStatus.Failed or PayoutStatus.Returned);
            return reversals == (badNews ? 1 : 0) && PayoutTransitions.IsReversed(status) == badNews;
        }).QuickCheckThrowOnFailure();
    }
}
