using Payments.Domain.Charges;
using Payments.Domain.Idempotency;
using Payments.Domain.Providers;

namespace Payments.Domain.Tests.Charges;

public sealed class OperationRulesTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly MerchantId Merchant = PrefixedId.New<MerchantId>(Now);
    private static readonly Money Zero = Money.Zero(Currency.Eur);

    public static TheoryData<ChargeStatus, PaymentOperation> Matrix()
    {
        var matrix = new TheoryData<ChargeStatus, PaymentOperation>();
        foreach (var status in Enum.GetValues<ChargeStatus>())
        {
            foreach (var operation in (PaymentOperation[])[PaymentOperation.Capture, PaymentOperation.Cancel, PaymentOperation.Refund])
                matrix.Add(status, operation);
        }

        return matrix;
    }

    [Fact]
    public void Begin_RefundOfWhatADisputeHolds_IsRefusedUnlessItWasMadeElsewhere()
    {
        var intent = Intent(PaymentOperation.Refund, null) with { Disputed = new Money(10_000, Currency.Eur) };

        Assert.False(OperationRules.Begin(In(ChargeStatus.Captured), intent).TryGet(out _, out _));
        Assert.True(OperationRules.Begin(In(ChargeStatus.Captured), intent with { MadeElsewhere = true }).TryGet(out var begun, out _));
        Assert.True(begun.Attempt.MadeElsewhere && begun.Refund!.MadeElsewhere);
    }

    [Theory]
    [MemberData(nameof(Matrix))]
    public void Begin_EveryState_TakesWhatTheTableSays(ChargeStatus status, PaymentOperation operation)
    {
        var begun = OperationRules.Begin(In(status), Intent(operation, null));

        var expected = (status, operation) switch
        {
            (ChargeStatus.Authorized, PaymentOperation.Capture or PaymentOperation.Cancel) => 10_000,
            (ChargeStatus.PartiallyCaptured, PaymentOperation.Capture or PaymentOperation.Cancel) => 6_000,
            (ChargeStatus.PartiallyCaptured, PaymentOperation.Refund) => 4_000,
            (ChargeStatus.Captured, PaymentOperation.Refund) => 10_000,
            (ChargeStatus.RequiresAction, PaymentOperation.Cancel) => 10_000,
            _ => (long?)null,
        };
        Assert.Equal(expected, begun.Match(state => state.Attempt.Amount.MinorUnits, _ => (long?)null));
        if (expected is null)
            Assert.Equal(RefusalCode.StateConflict, begun.Match(_ => default, refusal => refusal.Code));
    }

    [Theory]
    [InlineData(PaymentOperation.Capture, ChargeStatus.Authorized)]
    [InlineData(PaymentOperation.Refund, ChargeStatus.Captured)]
    public void Begin_OneUnitTooMuch_IsRefusedAndExactlyAllIsNot(PaymentOperation operation, ChargeStatus status)
    {
        Assert.Equal(RefusalCode.AmountTooLarge, OperationRules.Begin(In(status), Intent(operation, 10_001)).Match(_ => default, refusal => refusal.Code));
        Assert.True(OperationRules.Begin(In(status), Intent(operation, 10_000)).TryGet(out var state, out _));

        // What is under way counts as done.
        Assert.Equal(RefusalCode.StateConflict, OperationRules.Begin(state.Charge, Intent(operation, 1)).Match(_ => default, refusal => refusal.Code));
    }

    [Fact]
    public void Begin_FinalCapture_TakesTheRestToGiveItBack()
    {
        Assert.True(OperationRules.Begin(In(ChargeStatus.Authorized), Intent(PaymentOperation.Capture, 4_000) with { IsFinal = true }).TryGet(out var state, out _));

        Assert.Equal((4_000, 6_000, 6_000), (state.Charge.Capturing.MinorUnits, state.Charge.Canceling.MinorUnits, state.Attempt.Released.MinorUnits));
        Assert.Equal(Zero, state.Charge.Capturable);
    }

    [Fact]
    public void Begin_FinalCaptureBesideAnother_IsRefused()
    {
        Assert.True(OperationRules.Begin(In(ChargeStatus.Authorized), Intent(PaymentOperation.Capture, 4_000)).TryGet(out var state, out _));

        var final = OperationRules.Begin(state.Charge, Intent(PaymentOperation.Capture, 1_000) with { IsFinal = true });

        Assert.Equal(RefusalCode.StateConflict, final.Match(_ => default, refusal => refusal.Code));
    }

    private static Charge In(ChargeStatus status)
    {
        var amount = new Money(10_000, Currency.Eur);
        var held = status is ChargeStatus.Authorized or ChargeStatus.PartiallyCaptured or ChargeStatus.Captured;
        return new Charge(
            Merchant, PrefixedId.New<ChargeId>(Now), status, amount, CaptureMethod.Manual, held ? amount : Zero, Zero,
            status is ChargeStatus.Captured ? amount : status is ChargeStatus.PartiallyCaptured ? new Money(4_000, Currency.Eur) : Zero,
            status is ChargeStatus.Canceled or ChargeStatus.Expired ? amount : Zero, Zero, Zero, Zero, "tok_visa", "sandbox", "pay_1", null, null, null, null, null, null, "{}", Now, Now, null);
    }

    private static OperationIntent Intent(PaymentOperation operation, long? amount) => new(
        Merchant, PrefixedId.New<ChargeId>(Now), operation, amount, PrefixedId.New<AttemptId>(Now), new IdempotentRequest(Merchant, new IdempotencyKey("key"), new byte[32]), Now)
    {
        Refund = operation is PaymentOperation.Refund ? PrefixedId.New<RefundId>(Now) : null,
    };
}
