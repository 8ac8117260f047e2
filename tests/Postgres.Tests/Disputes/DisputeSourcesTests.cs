using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Payments.Domain.Disputes;
using Payments.Domain.Disputes.Files;
using Payments.Domain.Messaging;
using Payments.Domain.Providers.Sandbox;

namespace Payments.Postgres.Tests.Disputes;

/// <summary>One dispute told by webhooks, by the processor's file and by an import, each in its own form: whatever comes first, repeats or is left out, it ends as one.</summary>
public sealed class DisputeSourcesTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private const string Header = "dispute_id,payment_id,stage,status,reason_code,currency,amount,evidence_due_by,reinstated_amount,updated_at";

    /// <summary>The processor's own file, as the sample settings declare it.</summary>
    private static readonly DisputeFileDialect Dialect = new()
    {
        Provider = "sandbox",
        Columns = new()
        {
            [DisputeField.DisputeId] = "dispute_id",
            [DisputeField.ChargeReference] = "payment_id",
            [DisputeField.Stage] = "stage",
            [DisputeField.Status] = "status",
            [DisputeField.ReasonCode] = "reason_code",
            [DisputeField.Currency] = "currency",
            [DisputeField.Amount] = "amount",
            [DisputeField.EvidenceDueBy] = "evidence_due_by",
            [DisputeField.ReturnedAmount] = "reinstated_amount",
            [DisputeField.OccurredAt] = "updated_at",
        },
    };

    /// <summary>What happened: opened, corrected downwards, partly won, taken back at pre-arbitration.</summary>
    private static readonly Told[] Story =
    [
        new("chargeback", "needs_response", 10_000, 0, 0),
        new("chargeback", "under_review", 9_000, 1_000, 4),
        new("chargeback", "won", 9_000, 6_000, 9),
        new("pre_arbitration", "needs_response", 9_000, 0, 30),
    ];

    [Fact]
    public async Task Tell_EveryOrderOfWebhooksFileAndImport_EndsInOneDispute()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var ends = new HashSet<(DisputeState, DisputePosition, long Net, long Disputed)>();
        var disputedBefore = 0L;
        foreach (var order in Permutations(["webhook 0", "webhook 2", "webhook 3", "file", "import 1"]))
        {
            var reference = "src_" + string.Concat(order.Select(step => step[0].ToString() + step[^1]));
            var charge = await world.ChargeAsync(reference);

            // Everything twice, the second time the other way round.
            foreach (var step in order.Concat(order.Reverse()))
                await TellAsync(world, reference, step);
            var dispute = await world.SingleAsync(charge);
            var disputed = await world.LedgerAsync("disputed");
            ends.Add((dispute.State, dispute.Posted, (await world.TransactionsAsync(dispute.Id)).Sum(t => t.Net), disputed - disputedBefore));
            disputedBefore = disputed;
        }

        var (state, posted, net, held) = Assert.Single(ends);
        Assert.Equal((DisputeStage.PreArbitration, DisputeStatus.NeedsResponse, "visa"), (state.Stage, state.Status, state.Network));
        Assert.Equal((9_000, 0), (posted.Disputed.MinorUnits, posted.Taken.MinorUnits));
        Assert.Equal((-10_500, 9_000), (net, held));
    }

    [Fact]
    public async Task Tell_AllAtOnce_PostsEachJournalOnce()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("src_race");
        string[] steps = ["webhook 0", "webhook 1", "webhook 2", "webhook 3", "file", "import 1", "import 2"];
        await Task.WhenAll(steps.Concat(steps).Select(step => Task.Run(() => TellAsync(world, "src_race", step))));
        var dispute = await world.SingleAsync(charge);
        Assert.Equal((DisputeStage.PreArbitration, 9_000), (dispute.State.Stage, dispute.Posted.Disputed.MinorUnits));
        Assert.Equal((9_000, -10_500), (await world.LedgerAsync("disputed"), await world.LedgerAsync("available")));
        Assert.Equal(dispute.Journals, await world.CountAsync("SELECT count(*) FROM ledger.journals WHERE external_key LIKE @key", new { key = $"{dispute.Id}:%" }));
    }

    private async Task TellAsync(DisputeWorld world, string reference, string step)
    {
        switch (step.Split(' '))
        {
            case ["webhook", var number]:
                await world.IngestAsync(SandboxDisputes.Read(JsonElement.Parse(Encoding.UTF8.GetBytes(Story[Number(number)].Webhook(reference))), DisputeSource.Webhook, $"evt_{number}"));
                break;
            case ["file"]:
                var bytes = Encoding.UTF8.GetBytes($"{Header}\n{string.Concat(Story.Select(told => told.Line(reference)))}");
                var files = new DisputeFileIngestion(database.App, world.Ingestion, new OutboxSignal(), world.Clock, NullLogger<DisputeFileIngestion>.Instance);
                await files.ApplyAsync("sources", Dialect, $"{reference}.csv", _ => Task.FromResult<Stream>(new MemoryStream(bytes)), CancellationToken.None);
                break;
            case ["import", var number]:
                var request = new ImportDisputesRequest("sandbox", [Story[Number(number)].Import(reference)]);
                Assert.True(ImportDisputes.Read(request, "key").TryGet(out var updates, out var refusal), refusal?.Detail);
                await world.Ingestion.IngestAsync(updates, CancellationToken.None);
                break;
            default:
                throw new ArgumentException(step, nameof(step));
        }
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static IEnumerable<string[]> Permutations(string[] items) =>
        items.Length <= 1 ? [items] : items.SelectMany((item, i) => Permutations([.. items.Where((_, j) => j != i)]).Select(rest => (string[])[item, .. rest]));

    /// <summary>One thing that happened, in the form of each source.</summary>
    private sealed record Told(string Stage, string Status, long Amount, long Reinstated, int Day)
    {
        private string At => DisputeWorld.Start.AddDays(Day).AddTicks(1_234_560).ToString("yyyy-MM-ddTHH:mm:ss.FFFFFFFZ", CultureInfo.InvariantCulture);

        private static string Due => DisputeWorld.Start.AddDays(60).ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);

        public string Webhook(string reference) =>
            $$"""
            {"object":"dispute","id":"d_{{reference}}","payment_id":"{{reference}}","status":"{{Status}}","stage":"{{Stage}}","amount":{{Amount}},"currency":"EUR","reason_code":"13.1",
             "network":"visa","evidence_due_by":"{{Due}}","held_amount":{{(Status == "won" ? Amount - Reinstated : Amount)}},"updated_at":"{{At}}"}
            """;

        public string Line(string reference) =>
            string.Create(CultureInfo.InvariantCulture, $"d_{reference},{reference},{Stage},{Status},13.1,EUR,{Amount},{Due},{(Reinstated == 0 ? "" : Reinstated.ToString(CultureInfo.InvariantCulture))},{At}\n");

        public ImportedDispute Import(string reference) => new(
            $"d_{reference}", reference, Stage, Status, Amount, "EUR", Status == "won" ? Reinstated : null, null, null, "visa", "13.1", null,
            DateTimeOffset.Parse(Due, CultureInfo.InvariantCulture), DateTimeOffset.Parse(At, CultureInfo.InvariantCulture));
    }
}
