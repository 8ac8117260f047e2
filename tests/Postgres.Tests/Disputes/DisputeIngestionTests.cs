using Payments.Domain;
using Payments.Domain.Disputes;
using static Payments.Domain.Disputes.DisputeStatus;

namespace Payments.Postgres.Tests.Disputes;

public sealed class DisputeIngestionTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    [Fact]
    public async Task Ingest_OpenedThenLost_WithdrawsOnceAndCloses()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("lost");

        Assert.Equal(DisputeIngestionStatus.Applied, await world.IngestAsync(DisputeWorld.Update("lost", NeedsResponse)));
        var opened = await world.SingleAsync(charge);
        Assert.Equal((NeedsResponse, DisputeReason.ProductNotReceived, 1), (opened.State.Status, opened.State.Reason, opened.Version));
        Assert.Equal(DisputeWorld.Start.AddDays(20), opened.State.EvidenceDueBy);

        Assert.Equal(DisputeIngestionStatus.Applied, await world.IngestAsync(DisputeWorld.Update("lost", Lost, day: 9)));
        var lost = await world.SingleAsync(charge);
        Assert.Equal((Lost, 2, 3), (lost.State.Status, lost.Version, lost.Journals));
        Assert.Equal(new DisputePosition(Eur(0), Eur(10000), Eur(10000), Eur(1500)), lost.Posted);
        Assert.Equal([("dispute", -10000), ("dispute_fee", -1500)], await world.TransactionsAsync(lost.Id));
        Assert.Equal(["dispute.created", "dispute.funds_withdrawn", "dispute.updated", "dispute.closed"], await world.EventsAsync(lost.Id));

        // The balance had nothing: it is below zero until later funds make up for it.
        Assert.Equal(-11500, await world.LedgerAsync("available"));
        Assert.Equal(0, await world.LedgerAsync("disputed"));
    }

    [Fact]
    public async Task Ingest_SameUpdateByWebhookAndFile_IsOne()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("twice");
        var webhook = DisputeWorld.Update("twice", NeedsResponse);
        Assert.Equal(DisputeIngestionStatus.Applied, await world.IngestAsync(webhook));
        Assert.Equal(DisputeIngestionStatus.Duplicate, await world.IngestAsync(webhook with { Source = DisputeSource.File, SourceReference = "march.csv:2" }));
        var results = await world.Ingestion.IngestAsync([DisputeWorld.Update("twice", UnderReview, 2), DisputeWorld.Update("twice", UnderReview, 2)], CancellationToken.None);
        Assert.Equal([DisputeIngestionStatus.Applied, DisputeIngestionStatus.Duplicate], results.Select(r => r.Status));
        var dispute = await world.SingleAsync(charge);
        Assert.Equal(2, dispute.Version);
        Assert.Equal(2, (await world.Reads.HistoryAsync(world.Merchant, dispute.Id, CancellationToken.None)).Count);
    }

    [Fact]
    public async Task Ingest_EveryPermutationWithRepeats_EndsInOneState()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        (DisputeStatus Status, int Day, DisputeStage Stage)[] told =
        [
            (WarningNeedsResponse, 0, DisputeStage.Inquiry),
            (NeedsResponse, 5, DisputeStage.Chargeback),
            (Won, 15, DisputeStage.Chargeback),
            (NeedsResponse, 30, DisputeStage.PreArbitration),
        ];
        var ends = new HashSet<(DisputeState, DisputePosition, long)>();
        var n = 0;
        foreach (var order in Permutations(told))
        {
            var reference = $"perm{n++}";
            var charge = await world.ChargeAsync(reference);
            foreach (var (status, day, stage) in order.Append(order[0]))
            {
                await world.IngestAsync(DisputeWorld.Update(reference, status, day, stage, source: n % 2 == 0 ? DisputeSource.File : DisputeSource.Webhook));
            }

            var dispute = await world.SingleAsync(charge);
            ends.Add((dispute.State, dispute.Posted, (await world.TransactionsAsync(dispute.Id)).Sum(t => t.Net)));
        }

        Assert.Equal(24, n);
        var (state, posted, net) = Assert.Single(ends);
        Assert.Equal((DisputeStage.PreArbitration, NeedsResponse), (state.Stage, state.Status));
        Assert.Equal(Eur(10000), posted.Disputed);
        Assert.Equal(-11500, net);
    }

    [Fact]
    public async Task Ingest_SameNewDisputeFromManyAtOnce_OpensItOnce()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("race");
        await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Task.Run(() =>
            world.IngestAsync(i % 2 == 0 ? DisputeWorld.Update("race", NeedsResponse) : DisputeWorld.Update("race", UnderReview, day: 1 + (i / 2))))));
        var dispute = await world.SingleAsync(charge);
        Assert.Equal(UnderReview, dispute.State.Status);
        Assert.Equal([("dispute", -10000), ("dispute_fee", -1500)], await world.TransactionsAsync(dispute.Id));
    }

    [Fact]
    public async Task Match_ChargeAppearsLater_AppliesWhatWaited()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        Assert.Equal(DisputeIngestionStatus.Unmatched, await world.IngestAsync(DisputeWorld.Update("late", NeedsResponse)));
        Assert.Equal(DisputeIngestionStatus.Unmatched, await world.IngestAsync(DisputeWorld.Update("late", Won, day: 3)));
        Assert.Equal(DisputeIngestionStatus.Duplicate, await world.IngestAsync(DisputeWorld.Update("late", Won, day: 3)));
        Assert.Equal(2, await world.UnmatchedAsync("late"));

        world.Clock.Now += TimeSpan.FromMinutes(1);
        await world.Ingestion.MatchAsync(100, CancellationToken.None);
        Assert.Equal(2, await world.UnmatchedAsync("late"));

        var charge = await world.ChargeAsync("late");
        world.Clock.Now += TimeSpan.FromMinutes(2);
        await world.Ingestion.MatchAsync(100, CancellationToken.None);
        Assert.Equal(0, await world.UnmatchedAsync("late"));
        Assert.Equal(Won, (await world.SingleAsync(charge)).State.Status);
    }

    [Fact]
    public async Task Ingest_NextUpdateFindsTheCharge_BringsWhatWaited()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        await world.IngestAsync(DisputeWorld.Update("adopt", NeedsResponse) with { ChargeReference = null });
        var charge = await world.ChargeAsync("adopt");
        Assert.Equal(DisputeIngestionStatus.Applied, await world.IngestAsync(DisputeWorld.Update("adopt", Lost, day: 3)));
        Assert.Equal(0, await world.UnmatchedAsync("adopt"));
        var dispute = await world.SingleAsync(charge);
        Assert.Equal(2, (await world.Reads.HistoryAsync(world.Merchant, dispute.Id, CancellationToken.None)).Count);

        // Once the dispute is known, an update need not name the charge.
        Assert.Equal(DisputeIngestionStatus.Applied, await world.IngestAsync(DisputeWorld.Update("adopt", Won, day: 4) with { ChargeReference = null }));
        Assert.Equal(Won, (await world.SingleAsync(charge)).State.Status);
    }

    [Fact]
    public async Task Ingest_ReferenceOfTwoCharges_TakesMoneyFromNobody()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        await world.ChargeAsync("ambiguous");
        await world.ChargeAsync("ambiguous");
        Assert.Equal(DisputeIngestionStatus.Unmatched, await world.IngestAsync(DisputeWorld.Update("ambiguous", NeedsResponse)));
    }

    [Fact]
    public async Task Ingest_ReferenceAtAnotherProvider_IsUnmatched()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        await world.ChargeAsync("elsewhere", provider: "stripe");
        Assert.Equal(DisputeIngestionStatus.Unmatched, await world.IngestAsync(DisputeWorld.Update("elsewhere", NeedsResponse)));
    }

    [Fact]
    public async Task Ingest_NoAmountYet_WaitsForOne()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("amountless");
        Assert.Equal(DisputeIngestionStatus.Unmatched, await world.IngestAsync(DisputeWorld.Update("amountless", UnderReview, day: 2) with { Amount = null }));
        Assert.Equal(DisputeIngestionStatus.Applied, await world.IngestAsync(DisputeWorld.Update("amountless", NeedsResponse)));
        Assert.Equal(UnderReview, (await world.SingleAsync(charge)).State.Status);
        Assert.Equal(0, await world.UnmatchedAsync("amountless"));
    }

    [Fact]
    public async Task Ingest_OneRefusedAmongGood_StoresTheGood()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("good");
        var results = await world.Ingestion.IngestAsync(
            [DisputeWorld.Update("good", WarningClosed), DisputeWorld.Update("good", NeedsResponse)], CancellationToken.None);
        Assert.Equal((DisputeIngestionStatus.Refused, DisputeUpdateRefusal.StatusNotOfStage), (results[0].Status, results[0].Refusal));
        Assert.Equal(DisputeIngestionStatus.Applied, results[1].Status);
        Assert.Equal(NeedsResponse, (await world.SingleAsync(charge)).State.Status);
    }

    [Fact]
    public async Task Ingest_PlanOfTheMerchant_SetsTheFees()
    {
        var world = await DisputeWorld.CreateAsync(
            database.App, """{"rules":[],"disputes":{"rules":[{"currency":"EUR","chargeback":700}],"refunded_when_won":false}}""");
        var charge = await world.ChargeAsync("plan");
        await world.IngestAsync(DisputeWorld.Update("plan", NeedsResponse));
        await world.IngestAsync(DisputeWorld.Update("plan", Won, day: 3));
        Assert.Equal([("dispute", -10000), ("dispute_fee", -700), ("dispute_reversal", 10000)], await world.TransactionsAsync((await world.SingleAsync(charge)).Id));
    }

    [Fact]
    public async Task Ingest_AnotherCurrency_RoundTripsItsAmounts()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("fx");
        var update = DisputeWorld.Update("fx", Won, amount: new Money(11000, Currency.Usd)) with { Returned = new Money(5500, Currency.Usd), MerchantAmount = Eur(10200) };
        await world.IngestAsync(update);
        var dispute = await world.SingleAsync(charge);
        Assert.Equal((update.Amount, update.Returned, update.MerchantAmount), (dispute.State.Amount, dispute.State.Returned, dispute.State.MerchantAmount));
        Assert.Equal(new DisputePosition(Eur(0), Eur(5100), new Money(5500, Currency.Usd), Eur(0)), dispute.Posted);
        Assert.Equal(update, Assert.Single(await world.Reads.HistoryAsync(world.Merchant, dispute.Id, CancellationToken.None)).Update);
    }

    /// <summary>The provider does not say what the dispute is in the charge's currency. The customer paid what was captured.</summary>
    [Fact]
    public async Task Ingest_AnotherCurrencyOfAChargeCapturedInPart_TakesWhatWasCaptured()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("fx_part", amount: 10_000, captured: 4_000);

        await world.IngestAsync(DisputeWorld.Update("fx_part", NeedsResponse, amount: new Money(4_400, Currency.Usd)));

        Assert.Equal(Eur(4_000), (await world.SingleAsync(charge)).Posted.Disputed);
    }

    [Fact]
    public async Task ListByDueDate_Pages_SoonestFirstAndThoseWithoutADateLast()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        int[] days = [30, 10, 20];
        foreach (var day in days)
        {
            await world.ChargeAsync($"due{day}");
            await world.IngestAsync(DisputeWorld.Update($"due{day}", NeedsResponse) with { EvidenceDueBy = DisputeWorld.Start.AddDays(day) });
        }

        await world.ChargeAsync("warned");
        await world.IngestAsync(DisputeWorld.Update("warned", WarningNeedsResponse, stage: DisputeStage.EarlyWarning) with { EvidenceDueBy = null });
        var first = await world.Reads.ListByDueDateAsync(world.Merchant, null, null, null, 2, CancellationToken.None);
        var second = await world.Reads.ListByDueDateAsync(world.Merchant, first[^1].Id, null, null, 9, CancellationToken.None);
        Assert.Equal(["d_due10", "d_due20"], first.Select(d => d.ProviderDisputeId));
        Assert.Equal(["d_due30", "d_warned"], second.Select(d => d.ProviderDisputeId));
        var due = await world.Reads.ListByDueDateAsync(world.Merchant, null, NeedsResponse, DisputeWorld.Start.AddDays(20), 9, CancellationToken.None);
        Assert.Equal(["d_due10"], due.Select(d => d.ProviderDisputeId));
    }

    private static Money Eur(long minorUnits) => new(minorUnits, Currency.Eur);

    private static IEnumerable<T[]> Permutations<T>(T[] items) =>
        items.Length <= 1
            ? [items]
            : items.SelectMany((item, i) => Permutations(items.Where((_, j) => j != i).ToArray()).Select(rest => rest.Prepend(item).ToArray()));
}
