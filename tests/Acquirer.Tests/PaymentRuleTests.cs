using FsCheck;
using FsCheck.Fluent;

namespace Payments.Acquirer.Tests;

public sealed class PaymentRuleTests
{
    private static readonly DateTime Start = new(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    [Fact]
    public void Rules_AnyHistory_NeverMoveMoreThanWasAuthorized()
    {
        var step = from kind in Gen.Choose(0, 4) from amount in Gen.Choose(1, 700) select (Kind: kind, Amount: (long)amount);
        Check.QuickThrowOnFailure(Prop.ForAll(step.ListOf().ToArbitrary(), steps =>
        {
            var payment = new Payment(Guid.Empty, new() { Type = EntryType.Payment, Reference = "r", Amount = 1000, Currency = "EUR", Token = "tok_visa", Capture = false });
            payment.Settle(PaymentStatus.Authorized, null);
            var place = 0;
            foreach (var (kind, amount) in steps)
            {
                Do(payment, kind, amount, $"o{place++}");
                Assert.InRange(payment.Captured + payment.Canceled, 0, payment.Authorized);
                Assert.InRange(payment.Refunded + payment.RefundsPending, 0, payment.Captured);
                Assert.True(payment.RefundsPending >= 0 && payment.Canceled >= 0);
                Assert.Equal(payment.Status == PaymentStatus.Authorized, payment.Capturable > 0);
                Assert.Equal(payment.Status == PaymentStatus.Captured, payment.Captured > 0 && payment.Capturable == 0);
            }
        }));
    }

    private static void Do(Payment payment, int kind, long amount, string reference)
    {
        switch (kind)
        {
            case 0 when PaymentRules.Capture(payment, amount) is null:
                payment.Add(Guid.Empty, OperationKind.Capture, Entry(EntryType.Capture, amount, reference) with { Final = amount % 7 == 0 });
                break;
            case 1 when PaymentRules.Cancel(payment, amount) is null:
                payment.Add(Guid.Empty, OperationKind.Cancel, Entry(EntryType.Cancel, amount, reference));
                break;
            case 2 when PaymentRules.Refund(payment, amount) is null:
                var status = (OperationStatus)(amount % 3);
                payment.Add(Guid.Empty, OperationKind.Refund, Entry(EntryType.Refund, amount, reference) with { OperationStatus = status });
                break;
            case 3 when payment.Operations.FirstOrDefault(o => o is { Kind: OperationKind.Refund, Status: OperationStatus.Pending }) is { } refund:
                payment.EndRefund(refund, amount % 2 == 0 ? OperationStatus.Succeeded : OperationStatus.Failed, null);
                break;
            case 4 when amount > 650 && payment.Status == PaymentStatus.Authorized:
                payment.Expire();
                break;
        }
    }

    private static JournalEntry Entry(EntryType type, long amount, string reference) =>
        new() { Type = type, At = Start, Reference = reference, Amount = amount, OperationStatus = OperationStatus.Succeeded };
}
