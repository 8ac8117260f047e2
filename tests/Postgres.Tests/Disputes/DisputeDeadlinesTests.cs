using Microsoft.Extensions.Logging.Abstractions;
using Payments.Domain.Disputes;
using Payments.Domain.Messaging;

namespace Payments.Postgres.Tests.Disputes;

public sealed class DisputeDeadlinesTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    [Fact]
    public async Task Run_DayByDay_RemindsAtSevenThreeAndOneAndThenExpires()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("clock1");
        await world.IngestAsync(DisputeWorld.Update("clock1", DisputeStatus.NeedsResponse));
        var reminded = new List<int>();
        for (var day = 1; day <= 21; day++)
        {
            world.Clock.Now = DisputeWorld.Start.AddDays(day).AddMinutes(1);
            var before = await RemindersAsync(world, charge);
            await RunAsync(world);
            await RunAsync(world);
            if (await RemindersAsync(world, charge) > before)
                reminded.Add(20 - day);
        }

        Assert.Equal([7, 3, 1], reminded);
        var dispute = await world.SingleAsync(charge);
        Assert.Equal(DisputeStatus.Expired, dispute.State.Status);
        Assert.Equal(3, await RemindersAsync(world, charge));
        Assert.Equal(["dispute.created", "dispute.funds_withdrawn", "dispute.due_soon", "dispute.due_soon", "dispute.due_soon", "dispute.updated", "dispute.closed"], await world.EventsAsync(dispute.Id));
    }

    [Fact]
    public async Task Run_AfterDowntime_RemindsOnceAndNotThrice()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("clock2");
        await world.IngestAsync(DisputeWorld.Update("clock2", DisputeStatus.NeedsResponse));
        world.Clock.Now = DisputeWorld.Start.AddDays(19.5);
        await RunAsync(world);
        await RunAsync(world);
        Assert.Equal(1, await RemindersAsync(world, charge));
    }

    [Fact]
    public async Task Run_DatePutOff_RemindsAnewAndTakesTheExpiryBack()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("clock3");
        await world.IngestAsync(DisputeWorld.Update("clock3", DisputeStatus.NeedsResponse));
        world.Clock.Now = DisputeWorld.Start.AddDays(21);
        await RunAsync(world);
        Assert.Equal(DisputeStatus.Expired, (await world.SingleAsync(charge)).State.Status);

        await world.IngestAsync(DisputeWorld.Update("clock3", DisputeStatus.NeedsResponse, day: 18) with { EvidenceDueBy = DisputeWorld.Start.AddDays(26) });
        var open = await world.SingleAsync(charge);
        Assert.Equal((DisputeStatus.NeedsResponse, 10000), (open.State.Status, open.Posted.Disputed.MinorUnits));
        await RunAsync(world);
        Assert.Equal(1, await RemindersAsync(world, charge));
        world.Clock.Now = DisputeWorld.Start.AddDays(27);
        await RunAsync(world);
        Assert.Equal(DisputeStatus.Expired, (await world.SingleAsync(charge)).State.Status);
    }

    [Fact]
    public async Task Run_AnsweredOrInquiry_IsLeftAlone()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var answered = await world.ChargeAsync("clock4");
        await world.IngestAsync(DisputeWorld.Update("clock4", DisputeStatus.UnderReview));
        var inquiry = await world.ChargeAsync("clock5");
        await world.IngestAsync(DisputeWorld.Update("clock5", DisputeStatus.WarningNeedsResponse, stage: DisputeStage.Inquiry));
        world.Clock.Now = DisputeWorld.Start.AddDays(30);
        await RunAsync(world);
        Assert.Equal(DisputeStatus.UnderReview, (await world.SingleAsync(answered)).State.Status);
        Assert.Equal(DisputeStatus.WarningNeedsResponse, (await world.SingleAsync(inquiry)).State.Status);
    }

    [Fact]
    public async Task Run_ManyAtOnce_RemindEachOnce()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        for (var i = 0; i < 30; i++)
        {
            await world.ChargeAsync($"many{i}");
            await world.IngestAsync(DisputeWorld.Update($"many{i}", DisputeStatus.NeedsResponse));
        }

        world.Clock.Now = DisputeWorld.Start.AddDays(14);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => RunAsync(world))));
        await RunAsync(world);
        Assert.Equal(30, await world.CountAsync("SELECT count(*) FROM payments.events WHERE merchant_id = @merchant AND type = 'dispute.due_soon'", new { merchant = world.Merchant.Value }));
    }

    private Task RunAsync(DisputeWorld world) =>
        new DisputeDeadlines(database.App, world.Ingestion, new OutboxSignal(), world.Clock, NullLogger<DisputeDeadlines>.Instance).RunAsync(10, CancellationToken.None);

    private static async Task<int> RemindersAsync(DisputeWorld world, Domain.ChargeId charge) =>
        (await world.EventsAsync((await world.SingleAsync(charge)).Id)).Count(type => type == "dispute.due_soon");
}
