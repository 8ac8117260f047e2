using System.Text;
using System.Text.Json;
using Payments.Domain.Database;
using Payments.Domain.Disputes;
using Payments.Domain.Messaging;
using Payments.Domain.Providers.Sandbox;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Postgres.Tests.Disputes;

public sealed class DisputeEventApplierTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    [Fact]
    public async Task Apply_WebhooksOfOneDisputeShuffledAndTwice_OpensAndClosesItOnce()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("pay_hooked");
        await using var ingestion = new GroupCommit<DisputeUpdate, DisputeIngestionResult>(
            "disputes", database.App, async (c, t, updates, ct) => await world.Ingestion.ApplyAsync(c, t, updates, ct), new GroupCommitOptions(), world.Clock);
        var applier = new DisputeEventApplier(ingestion, new OutboxSignal());
        string[] types = ["dispute.closed", "dispute.funds_withdrawn", "dispute.opened", "dispute.updated", "dispute.closed", "dispute.opened"];
        var results = await Task.WhenAll(types.Select((type, i) => Task.Run(async () =>
            await applier.ApplyAsync(Mapped($"evt_{i}", type, type == "dispute.closed" ? "lost" : type == "dispute.updated" ? "under_review" : "needs_response"), CancellationToken.None))));

        Assert.Equal(3, results.Count(r => r.Outcome == ApplyOutcome.Applied));
        Assert.Equal(3, results.Count(r => r.Outcome == ApplyOutcome.Ignored));
        var dispute = await world.SingleAsync(charge);
        Assert.Equal(DisputeStatus.Lost, dispute.State.Status);
        Assert.Equal([("dispute", -1000), ("dispute_fee", -1500)], await world.TransactionsAsync(dispute.Id));
    }

    [Fact]
    public async Task Apply_ChargeNotKnown_KeepsTheUpdateAndAcknowledges()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        await using var ingestion = new GroupCommit<DisputeUpdate, DisputeIngestionResult>(
            "disputes", database.App, async (c, t, updates, ct) => await world.Ingestion.ApplyAsync(c, t, updates, ct), new GroupCommitOptions(), world.Clock);
        var result = await new DisputeEventApplier(ingestion, new OutboxSignal()).ApplyAsync(Mapped("evt_x", "dispute.opened", "needs_response", "pay_nobody", "dsp_nobody"), CancellationToken.None);
        Assert.Equal(ApplyOutcome.Applied, result.Outcome);
        Assert.Contains("pay_nobody", result.Detail, StringComparison.Ordinal);
        Assert.Equal(1, await world.CountAsync("SELECT count(*) FROM payments.unmatched_dispute_updates WHERE provider_dispute_id = 'dsp_nobody'", new { }));
    }

    private static INeutralEvent Mapped(string eventId, string type, string status, string payment = "pay_hooked", string dispute = "dsp_hooked")
    {
        var at = status switch { "needs_response" => "01", "under_review" => "05", _ => "09" };
        var payload = Encoding.UTF8.GetBytes($$"""
            {"id":"{{eventId}}","type":"{{type}}","created_at":"2026-03-{{at}}T00:00:00Z","data":{"object":"dispute","id":"{{dispute}}","payment_id":"{{payment}}","status":"{{status}}",
             "stage":"chargeback","amount":1000,"currency":"EUR","reason_code":"10.4","network":"visa","evidence_due_by":"2026-04-01T00:00:00Z","held_amount":1000,"updated_at":"2026-03-{{at}}T00:00:00Z"} }
            """);
        var received = new ProviderEvent(Guid.Empty, "sandbox", eventId, type, ProviderEventStatus.Received, 0, null, payload, DisputeWorld.Start, null);
        return new SandboxDisputeMapper().Map(received, JsonDocument.Parse(payload).RootElement)!;
    }
}
