using Payments.Domain.Disputes;

namespace Payments.Domain.Tests.Disputes;

public sealed class DisputeUpdateTests
{
    private static readonly DisputeUpdate Good = Any.Update(DisputeStage.Chargeback, DisputeStatus.Won, returned: Any.Eur(100));

    public static TheoryData<DisputeUpdate, DisputeUpdateRefusal?> Cases() => new()
    {
        { Good, null },
        { Good with { Returned = Any.Eur(10000) }, null },
        { Good with { Amount = null, Returned = null }, null },
        { Good with { ChargeReference = null }, null },
        { Good with { ProviderDisputeId = " " }, DisputeUpdateRefusal.DisputeIdInvalid },
        { Good with { ProviderDisputeId = new string('x', 201) }, DisputeUpdateRefusal.DisputeIdInvalid },
        { Good with { ChargeReference = "" }, DisputeUpdateRefusal.ChargeReferenceInvalid },
        { Good with { NetworkReasonCode = "10\0" }, DisputeUpdateRefusal.TextInvalid },
        { Good with { Network = new string('x', 201) }, DisputeUpdateRefusal.TextInvalid },
        { Good with { Stage = DisputeStage.Inquiry }, DisputeUpdateRefusal.StatusNotOfStage },
        { Good with { Status = DisputeStatus.WarningClosed }, DisputeUpdateRefusal.StatusNotOfStage },
        { Good with { Amount = Any.Eur(0), Returned = null }, DisputeUpdateRefusal.AmountNotPositive },
        { Good with { MerchantAmount = Any.Eur(-1) }, DisputeUpdateRefusal.AmountNotPositive },
        { Good with { Returned = Any.Eur(10001) }, DisputeUpdateRefusal.ReturnedAmountInvalid },
        { Good with { Returned = Any.Usd(1) }, DisputeUpdateRefusal.ReturnedAmountInvalid },
        { Good with { Amount = null }, DisputeUpdateRefusal.ReturnedAmountInvalid },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Check_Update_IsRefusedByName(DisputeUpdate update, DisputeUpdateRefusal? refusal) => Assert.Equal(refusal, update.Check());
}
