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

    /// <summary>Fingerprints are stored: another spelling would take what is known for new. The value is SHA-256 of the text below, computed elsewhere.</summary>
    [Fact]
    public void Fingerprint_KnownUpdate_IsWhatIsStored()
    {
        // 7:sandbox3:d_13:p_11:21:89:10000 EUR7:100 EUR-1:-1:-1:-1:-1:17:63907952400000000-1:
        Assert.Equal(Guid.Parse("17b7d6a0-455e-6f2b-03cf-e0f481e62a86"), Good.Fingerprint());
    }

    [Fact]
    public void Fingerprint_LongForeignText_Fits()
    {
        var foreign = Good with { ProviderDisputeId = new string('\u20AC', 200), ChargeReference = new string('\uD83D', 200), Network = new string('x', 200), NetworkReasonCode = new string('\u00FC', 200) };
        Assert.NotEqual(Good.Fingerprint(), foreign.Fingerprint());
        Assert.Equal(foreign.Fingerprint(), (foreign with { Source = DisputeSource.Import }).Fingerprint());
    }
}
