using FsCheck;
using FsCheck.Fluent;
using Payments.Domain.Disputes;
using static Payments.Domain.Disputes.DisputeStage;
using static Payments.Domain.Disputes.DisputeStatus;

namespace Payments.Domain.Tests.Disputes;

public sealed class DisputeHistoryTests
{
    [Fact]
    public void Fold_NoAmountYet_IsNull() =>
        Assert.Null(DisputeHistory.Fold([Any.Update(Chargeback, NeedsResponse) with { Amount = null }]));

    [Fact]
    public void Fold_LateLowerStage_ChangesNothingButTheOpening()
    {
        var later = Any.Update(PreArbitration, NeedsResponse, day: 60);
        var state = DisputeHistory.Fold([later, Any.Update(Chargeback, Won, day: 30)])!;
        Assert.Equal((PreArbitration, NeedsResponse), (state.Stage, state.Status));
        Assert.Equal(Any.Start.AddDays(30), state.OpenedAt);
    }

    [Fact]
    public void Fold_OverturnedVerdict_TheLaterOneStands()
    {
        var won = Any.Update(Chargeback, Won, day: 40);
        var lost = Any.Update(Chargeback, Lost, day: 50);
        Assert.Equal(Lost, DisputeHistory.Fold([lost, won])!.Status);
        Assert.Equal(Won, DisputeHistory.Fold([lost, won with { OccurredAt = lost.OccurredAt.AddSeconds(1) }])!.Status);
    }

    [Fact]
    public void Fold_ClosedThenReviewInTheSameStage_StaysClosed() =>
        Assert.Equal(Lost, DisputeHistory.Fold([Any.Update(Chargeback, Lost, day: 40), Any.Update(Chargeback, UnderReview, day: 41)])!.Status);

    [Fact]
    public void Fold_ProviderAsksAgain_AwaitsTheNewResponse()
    {
        var again = Any.Update(Chargeback, NeedsResponse, day: 30, due: Any.Start.AddDays(40));
        var state = DisputeHistory.Fold([again, Any.Update(Chargeback, UnderReview, day: 10), Any.Update(Chargeback, NeedsResponse, due: Any.Start.AddDays(20))])!;
        Assert.Equal((NeedsResponse, Any.Start.AddDays(40)), (state.Status, state.EvidenceDueBy));
    }

    [Fact]
    public void Fold_OurClock_CountsOnlyForTheDateThatStandsAndWhileNothingElseIsSaid()
    {
        var needs = Any.Update(Chargeback, NeedsResponse, due: Any.Start.AddDays(20));
        var struck = Any.Update(Chargeback, Expired, day: 20, source: DisputeSource.Clock) with { Amount = null };
        Assert.Equal(Expired, DisputeHistory.Fold([struck, needs])!.Status);

        // The merchant answered on the provider's own pages, and we hear of it after our clock struck.
        Assert.Equal(UnderReview, DisputeHistory.Fold([needs, struck, Any.Update(Chargeback, UnderReview, day: 19)])!.Status);

        // The provider put the date off, and we hear of it after our clock struck.
        Assert.Equal(NeedsResponse, DisputeHistory.Fold([needs, struck, Any.Update(Chargeback, NeedsResponse, day: 18, due: Any.Start.AddDays(25))])!.Status);
    }

    [Fact]
    public void Fold_FieldsGivenOnce_AreKept()
    {
        var due = Any.Start.AddDays(9);
        var opened = Any.Update(Chargeback, NeedsResponse, due: due, code: "13.1", network: "visa");
        var state = DisputeHistory.Fold([Any.Update(Chargeback, UnderReview, day: 3), opened])!;
        Assert.Equal(("visa", "13.1", DisputeReason.ProductNotReceived), (state.Network, state.NetworkReasonCode, state.Reason));
        Assert.Equal(due, state.EvidenceDueBy);
        Assert.False(state.EvidenceDueByIsDefault);
    }

    [Fact]
    public void Fold_NewStageWithoutDate_TakesTheNetworksDefaultFromItsOpening()
    {
        var state = DisputeHistory.Fold([
            Any.Update(Chargeback, NeedsResponse, due: Any.Start.AddDays(9), network: "mastercard"),
            Any.Update(PreArbitration, NeedsResponse, day: 50),
        ])!;
        Assert.Equal(Any.Start.AddDays(95), state.EvidenceDueBy);
        Assert.True(state.EvidenceDueByIsDefault);
    }

    [Fact]
    public void Fold_PartlyWonThenRepeatedWithoutThePart_KeepsThePart()
    {
        var partly = Any.Update(Chargeback, Won, day: 30, returned: Any.Eur(6000));
        Assert.Equal(Any.Eur(6000), DisputeHistory.Fold([partly, Any.Update(Chargeback, Won, day: 31)])!.Returned);
        Assert.Null(DisputeHistory.Fold([partly, Any.Update(Chargeback, Won, day: 31, returned: Any.Eur(10000))])!.Returned);
        Assert.Null(DisputeHistory.Fold([partly, Any.Update(Chargeback, Lost, day: 31)])!.Returned);
    }

    [Fact]
    public void Fingerprint_SameContentFromAnotherSource_IsTheSame()
    {
        var webhook = Any.Update(Chargeback, NeedsResponse);
        var line = webhook with { Source = DisputeSource.File, SourceReference = "disputes.csv:7", OccurredAt = webhook.OccurredAt.ToOffset(TimeSpan.FromHours(2)) };
        Assert.Equal(webhook.Fingerprint(), line.Fingerprint());
        Assert.NotEqual(webhook.Fingerprint(), (line with { Amount = Any.Eur(10001) }).Fingerprint());
        Assert.NotEqual(webhook.Fingerprint(), (line with { ChargeReference = null }).Fingerprint());
    }

    [Fact]
    public void Play_AnyOrderWithDuplicates_EndsInOneStateAndOneSetOfBalances() => Prop.ForAll(
        Arb.From(Histories()),
        history =>
        {
            var (updates, shuffled, charge) = history;
            var sorted = Any.Play(DisputeHistory.Sort(updates), chargeAmount: charge);
            var arrived = Any.Play(shuffled, chargeAmount: charge);
            var target = DisputePosition.Target(DisputeHistory.Fold(updates)!, charge, Any.Fees);
            return sorted.Dispute.State == arrived.Dispute.State
                && sorted.Dispute.Posted == target
                && arrived.Dispute.Posted == target
                && Any.Balances(sorted.Movements).SequenceEqual(Any.Balances(arrived.Movements))
                && arrived.Movements.Select(m => m.Journal.ExternalKey).Distinct().Count() == arrived.Movements.Count;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));

    [Fact]
    public void Decide_SameUpdatesAgain_ChangesNothing() => Prop.ForAll(
        Arb.From(Histories()),
        history =>
        {
            var (dispute, _, _) = Any.Play(history.Shuffled, chargeAmount: history.Charge);
            return !DisputeDecider.Decide(dispute, DisputeHistory.Fold(history.Updates)!, Any.Start.AddDays(200)).Changed;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));

    private static Gen<(DisputeUpdate[] Updates, DisputeUpdate[] Shuffled, Money Charge)> Histories()
    {
        var places = Enum.GetValues<DisputeStage>()
            .SelectMany(stage => Enum.GetValues<DisputeStatus>().Where(status => DisputeTransitions.Belongs(stage, status)).Select(status => (stage, status)))
            .ToArray();
        var amounts = new[] { Any.Eur(10000), Any.Eur(8000), Any.Eur(12345), Any.Usd(11000) };
        var update =
            from place in Gen.Elements(places)
            from day in Gen.Choose(0, 4)
            from amount in Gen.Elements(amounts)
            from returned in Gen.Choose(0, 2)
            from merchantAmount in Gen.Elements<Money?>(null, null, Any.Eur(9900))
            from network in Gen.Elements<string?>(null, "visa", "amex")
            from source in Gen.Elements(DisputeSource.Webhook, DisputeSource.Clock)
            select Any.Update(
                place.stage,
                place.status,
                day,
                amount,
                place.status == Won && returned > 0 ? new Money(amount.MinorUnits * returned / 3, amount.Currency) : null,
                merchantAmount,
                network: network,
                source: source);
        return
            from opening in update
            from more in Gen.ListOf(update)
            let updates = more.Prepend(opening with { Source = DisputeSource.File })
            from repeated in Gen.SubListOf(updates)
            from shuffled in Gen.Shuffle(updates.Concat(repeated))
            from charge in Gen.Elements(Any.Eur(10000), new Money(10000, Currency.Jpy))
            select (updates.ToArray(), shuffled.ToArray(), charge);
    }
}
