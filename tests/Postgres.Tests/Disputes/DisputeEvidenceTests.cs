using System.Security.Cryptography;
using System.Text;
using Azure.Storage.Blobs;
using Dapper;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Payments.Domain;
using Payments.Domain.Audit;
using Payments.Domain.Disputes;
using Payments.Domain.Disputes.Evidence;
using Payments.Domain.Idempotency;
using Payments.Domain.Messaging;
using Payments.Domain.Providers.Sandbox;

namespace Payments.Postgres.Tests.Disputes;

/// <summary>Answers to disputes, against a stand-in for the acquirer that is served over HTTP and counts what it took.</summary>
public sealed class DisputeEvidenceTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static readonly Actor Somebody = Actor.Platform("test");

    [Fact]
    public async Task Submit_WithEvidence_IsSentOnceAndRepeatsItsAnswer()
    {
        await using var acquirer = await Acquirer.StartAsync();
        var world = await DisputeWorld.CreateAsync(database.App);
        var dispute = await OpenAsync(world, "ev1");
        await Folder(world).SaveAsync(world.Merchant, dispute.Id, new SaveEvidenceRequest("It was delivered.", new Dictionary<string, string?> { ["tracking_number"] = "1Z" }), CancellationToken.None);
        var respond = Respond(world, acquirer);

        var first = Stored(await respond.HandleAsync(Request(world, "k1"), dispute.Id, DisputeResponseKind.Submit, Somebody, CancellationToken.None));
        Assert.Equal((200, false), (first.Status, first.Replayed));
        Assert.Contains("\"status\":\"under_review\"", Encoding.UTF8.GetString(first.Body), StringComparison.Ordinal);
        var again = Stored(await respond.HandleAsync(Request(world, "k1"), dispute.Id, DisputeResponseKind.Submit, Somebody, CancellationToken.None));
        Assert.True(again.Replayed);
        Assert.Equal(first.Body, again.Body);
        Assert.Equal(RefusalCode.StateConflict, Refused(await respond.HandleAsync(Request(world, "k2"), dispute.Id, DisputeResponseKind.Submit, Somebody, CancellationToken.None)).Code);
        Assert.Equal(1, acquirer.Taken);
        Assert.Contains("1Z", acquirer.LastEvidence, StringComparison.Ordinal);
        Assert.Equal(1, await world.CountAsync("SELECT count(*) FROM payments.audit_log WHERE object_id = @id AND action = 'dispute.evidence_submitted'", new { id = dispute.Id.ToString() }));
        Assert.Contains((await world.Reads.HistoryAsync(world.Merchant, dispute.Id, CancellationToken.None)), e => e.Update.Source == DisputeSource.Merchant);
    }

    [Fact]
    public async Task Submit_ProviderTakesItAndFallsSilent_IsResolvedAndNotSentAgain()
    {
        await using var acquirer = await Acquirer.StartAsync();
        var world = await DisputeWorld.CreateAsync(database.App);
        var dispute = await OpenAsync(world, "ev2");
        await Folder(world).SaveAsync(world.Merchant, dispute.Id, new SaveEvidenceRequest("text", null), CancellationToken.None);
        acquirer.DropAfterTaking = true;
        var respond = Respond(world, acquirer);
        var first = Stored(await respond.HandleAsync(Request(world, "k3"), dispute.Id, DisputeResponseKind.Submit, Somebody, CancellationToken.None));
        Assert.Equal(202, first.Status);
        Assert.Equal(DisputeStatus.NeedsResponse, (await world.Reads.GetAsync(world.Merchant, dispute.Id, CancellationToken.None))!.State.Status);
        Assert.Equal(RefusalCode.StateConflict, Refused(await respond.HandleAsync(Request(world, "k4"), dispute.Id, DisputeResponseKind.Submit, Somebody, CancellationToken.None)).Code);

        acquirer.DropAfterTaking = false;
        world.Clock.Now += TimeSpan.FromMinutes(5);
        await ResolveAllAsync(respond);
        Assert.Equal(DisputeStatus.UnderReview, (await world.Reads.GetAsync(world.Merchant, dispute.Id, CancellationToken.None))!.State.Status);
        Assert.Equal(1, acquirer.Taken);

        // What was told under the key is told again, whatever is known by now; how it ended is told by the dispute and its events.
        var again = Stored(await respond.HandleAsync(Request(world, "k3"), dispute.Id, DisputeResponseKind.Submit, Somebody, CancellationToken.None));
        Assert.Equal((202, true), (again.Status, again.Replayed));
        Assert.Equal(first.Body, again.Body);
    }

    [Fact]
    public async Task Submit_CrashedBeforeItWasSent_IsSentByTheResolver()
    {
        await using var acquirer = await Acquirer.StartAsync();
        var world = await DisputeWorld.CreateAsync(database.App);
        var dispute = await OpenAsync(world, "ev3");
        await Folder(world).SaveAsync(world.Merchant, dispute.Id, new SaveEvidenceRequest("text", null), CancellationToken.None);
        acquirer.IsDown = true;
        var respond = Respond(world, acquirer);
        Assert.Equal(202, Stored(await respond.HandleAsync(Request(world, "k5"), dispute.Id, DisputeResponseKind.Submit, Somebody, CancellationToken.None)).Status);
        acquirer.IsDown = false;
        world.Clock.Now += TimeSpan.FromMinutes(5);
        await ResolveAllAsync(respond);
        Assert.Equal(1, acquirer.Taken);
        Assert.Equal(DisputeStatus.UnderReview, (await world.Reads.GetAsync(world.Merchant, dispute.Id, CancellationToken.None))!.State.Status);
    }

    [Fact]
    public async Task Submit_ProviderRefuses_ChangesNothingAndFreesTheKey()
    {
        await using var acquirer = await Acquirer.StartAsync();
        var world = await DisputeWorld.CreateAsync(database.App);
        var dispute = await OpenAsync(world, "ev4");
        await Folder(world).SaveAsync(world.Merchant, dispute.Id, new SaveEvidenceRequest("text", null), CancellationToken.None);
        acquirer.Refuses = true;
        var respond = Respond(world, acquirer);
        Assert.Equal(RefusalCode.StateConflict, Refused(await respond.HandleAsync(Request(world, "k6"), dispute.Id, DisputeResponseKind.Submit, Somebody, CancellationToken.None)).Code);
        Assert.Equal(DisputeStatus.NeedsResponse, (await world.Reads.GetAsync(world.Merchant, dispute.Id, CancellationToken.None))!.State.Status);
        acquirer.Refuses = false;
        Assert.Equal(200, Stored(await respond.HandleAsync(Request(world, "k6"), dispute.Id, DisputeResponseKind.Submit, Somebody, CancellationToken.None)).Status);
    }

    [Fact]
    public async Task Submit_ManyAtOnce_SendsOne()
    {
        await using var acquirer = await Acquirer.StartAsync();
        var world = await DisputeWorld.CreateAsync(database.App);
        var dispute = await OpenAsync(world, "ev5");
        await Folder(world).SaveAsync(world.Merchant, dispute.Id, new SaveEvidenceRequest("text", null), CancellationToken.None);
        var respond = Respond(world, acquirer);
        var results = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() =>
            respond.HandleAsync(Request(world, $"many{i}"), dispute.Id, i % 2 == 0 ? DisputeResponseKind.Submit : DisputeResponseKind.Accept, Somebody, CancellationToken.None))));
        Assert.Equal(1, acquirer.Taken);
        Assert.Single(results, r => r.Match(stored => stored.Status == 200, _ => false));
    }

    [Fact]
    public async Task Submit_NothingCollected_IsRefusedAndStoresNothing()
    {
        await using var acquirer = await Acquirer.StartAsync();
        var world = await DisputeWorld.CreateAsync(database.App);
        var dispute = await OpenAsync(world, "ev6");
        Assert.Equal(RefusalCode.StateConflict, Refused(await Respond(world, acquirer).HandleAsync(Request(world, "k7"), dispute.Id, DisputeResponseKind.Submit, Somebody, CancellationToken.None)).Code);
        Assert.Equal(0, await world.CountAsync("SELECT count(*) FROM payments.idempotency_keys WHERE merchant_id = @merchant", new { merchant = world.Merchant.Value }));
        Assert.Equal(0, acquirer.Taken);
    }

    [Fact]
    public async Task Accept_OpenDispute_SettlesIt()
    {
        await using var acquirer = await Acquirer.StartAsync();
        var world = await DisputeWorld.CreateAsync(database.App);
        var dispute = await OpenAsync(world, "ev7");
        Assert.Equal(200, Stored(await Respond(world, acquirer).HandleAsync(Request(world, "k8"), dispute.Id, DisputeResponseKind.Accept, Somebody, CancellationToken.None)).Status);
        var after = (await world.Reads.GetAsync(world.Merchant, dispute.Id, CancellationToken.None))!;
        Assert.Equal((DisputeStatus.Accepted, 10000), (after.State.Status, after.Posted.Taken.MinorUnits));
        Assert.Equal(0, await world.LedgerAsync("disputed"));
    }

    [Fact]
    public async Task Suggest_FromTheCharge_NamesCustomerRefundsAndDelivery()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var dispute = await OpenAsync(world, "ev8");
        await using (var connection = await database.App.OpenConnectionAsync())
        {
            await connection.ExecuteAsync(
                """
                UPDATE payments.charges SET customer = 'cus_1', card = '{"brand":"visa","last4":"4242"}', refunded_amount = 2500, metadata = '{"tracking_number":"1Z","cart":"9"}'
                WHERE merchant_id = @merchant AND id = @charge;
                INSERT INTO payments.refunds (bucket, merchant_id, id, charge_id, status, currency, amount, metadata, created_at,
                    updated_at)
                VALUES (payments.bucket_of(@merchant), @merchant, @charge, @charge, 'succeeded', 'EUR', 2500, '{}', @now, @now);
                """,
                new { merchant = world.Merchant.Value, charge = dispute.Charge.Value, now = DisputeWorld.Start.UtcDateTime });
        }

        var pack = (await Folder(world).SuggestAsync(world.Merchant, dispute.Id, CancellationToken.None)).Match(p => p, r => throw new InvalidOperationException(r.Detail));
        Assert.Equal(
            ("cus_1", "100.00 EUR", "25.00 EUR", "2500 on 2026-03-01", "4242", "1Z"),
            (pack.Fields["customer"], pack.Fields["charged_amount"], pack.Fields["refunded_amount"], pack.Fields["refunds_in_minor_units"], pack.Fields["card_last4"], pack.Fields["tracking_number"]));
        Assert.False(pack.Fields.ContainsKey("cart"));
    }

    [Fact]
    public async Task AddFile_ByContent_TakesDocumentsOnceAndNothingElse()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var dispute = await OpenAsync(world, "ev9");
        var blobs = new BlobServiceClient(TestServer.Storage);
        var folder = Folder(world, blobs);
        var pdf = Encoding.ASCII.GetBytes("%PDF-1.7 receipt");
        await folder.AddFileAsync(world.Merchant, dispute.Id, "receipt", "receipt.pdf", pdf, CancellationToken.None);
        var pack = (await folder.AddFileAsync(world.Merchant, dispute.Id, "receipt", "receipt.pdf", pdf, CancellationToken.None)).Match(p => p, r => throw new InvalidOperationException(r.Detail));
        var file = Assert.Single(pack.Files);
        Assert.Equal(("application/pdf", pdf.Length), (file.ContentType, file.Size));
        var stored = await blobs.GetBlobContainerClient(EvidenceFolder.Container).GetBlobClient($"{world.Merchant}/{dispute.Id}/{file.Hash}").DownloadContentAsync();
        Assert.Equal(pdf, stored.Value.Content.ToArray());
        Assert.Equal("file", Refused(await folder.AddFileAsync(world.Merchant, dispute.Id, "receipt", "receipt.pdf", "MZ not a pdf"u8.ToArray(), CancellationToken.None)).Param);
    }

    [Theory]
    [InlineData(204, null)]
    [InlineData(422, RefusalCode.ParameterInvalid)]
    [InlineData(500, RefusalCode.Overloaded)]
    public async Task AddFile_Scanned_IsStoredOnlyIfTheScannerLetsItPass(int answer, RefusalCode? refusal)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        await using var scanner = builder.Build();
        scanner.Urls.Add("http://127.0.0.1:0");
        var scanned = 0L;
        scanner.MapPost("/scan", async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            scanned = body.Length;
            context.Response.StatusCode = answer;
        });
        await scanner.StartAsync();
        using var http = new HttpClient();
        var world = await DisputeWorld.CreateAsync(database.App);
        var dispute = await OpenAsync(world, $"scan{answer}");
        var folder = new EvidenceFolder(database.App, world.Reads, new BlobServiceClient(TestServer.Storage), new EvidenceScanner(http, new Uri(scanner.Urls.Single() + "/scan")), world.Clock);
        var result = await folder.AddFileAsync(world.Merchant, dispute.Id, "receipt", "receipt.pdf", "%PDF-1.7 receipt"u8.ToArray(), CancellationToken.None);
        Assert.Equal(refusal, result.Match(_ => (RefusalCode?)null, r => r.Code));
        Assert.Equal(16, scanned);
        var stored = (await folder.GetAsync(world.Merchant, dispute.Id, CancellationToken.None)).Match(pack => pack.Files.Count, _ => -1);
        Assert.Equal(refusal is null ? 1 : 0, stored);
    }

    private static async Task ResolveAllAsync(RespondToDispute respond)
    {
        // Answers of other tests may be due as well; their acquirers are gone, and they wait again.
        while (await respond.ResolveAsync(100, CancellationToken.None) == 100)
        {
        }
    }

    private static async Task<Dispute> OpenAsync(DisputeWorld world, string reference)
    {
        var charge = await world.ChargeAsync(reference);
        await world.IngestAsync(DisputeWorld.Update(reference, DisputeStatus.NeedsResponse));
        return await world.SingleAsync(charge);
    }

    private EvidenceFolder Folder(DisputeWorld world, BlobServiceClient? blobs = null) =>
        new(database.App, world.Reads, blobs ?? new BlobServiceClient(new Uri("http://127.0.0.1:1/none")), new EvidenceScanner(new HttpClient(), null), world.Clock);

    private RespondToDispute Respond(DisputeWorld world, Acquirer acquirer) => new(
        database.App, world.Ingestion, world.Reads, new IdempotencyStore(database.App, new Payments.Domain.Secrets.SecretBox(new Dictionary<string, byte[]> { ["test"] = new byte[32] }, "test"), world.Clock), [new SandboxDisputeProvider(acquirer.Client)], new OutboxSignal(), world.Clock,
        NullLogger<RespondToDispute>.Instance);

    private static IdempotentRequest Request(DisputeWorld world, string key) => new(world.Merchant, new IdempotencyKey(key), SHA256.HashData(Encoding.UTF8.GetBytes(key)));

    private static StoredResponse Stored(Result<StoredResponse> result) => result.Match(stored => stored, refusal => throw new InvalidOperationException(refusal.Detail));

    private static Refusal Refused<T>(Result<T> result) => result.Match(_ => throw new InvalidOperationException("It was not refused."), refusal => refusal);

    /// <summary>Takes one answer for each dispute, and tells how the dispute stands.</summary>
    private sealed class Acquirer : IAsyncDisposable
    {
        private readonly WebApplication _app;
        private readonly Dictionary<string, string> _status = [];
        private readonly Lock _gate = new();

        private Acquirer(WebApplication app) => _app = app;

        public HttpClient Client { get; } = new();

        public int Taken { get; private set; }

        public string LastEvidence { get; private set; } = "";

        public bool IsDown { get; set; }

        public bool DropAfterTaking { get; set; }

        public bool Refuses { get; set; }

        public static async Task<Acquirer> StartAsync()
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            var app = builder.Build();
            app.Urls.Add("http://127.0.0.1:0");
            var acquirer = new Acquirer(app);
            app.MapGet("/v1/disputes/{id}", (string id) => acquirer.Show(id));
            app.MapPost("/v1/disputes/{id}/{action}", acquirer.TakeAsync);
            await app.StartAsync();
            acquirer.Client.BaseAddress = new Uri(app.Urls.Single());
            return acquirer;
        }

        public async ValueTask DisposeAsync()
        {
            Client.Dispose();
            await _app.DisposeAsync();
        }

        private async Task<IResult> TakeAsync(string id, string action, HttpContext context)
        {
            using var reader = new StreamReader(context.Request.Body);
            var body = await reader.ReadToEndAsync();
            if (IsDown)
                return Results.StatusCode(503);
            lock (_gate)
            {
                if (Refuses || _status.ContainsKey(id))
                    return Results.Json(new { error = new { code = "dispute_not_awaiting_evidence", message = "no" } }, statusCode: 409);
                _status[id] = action == "accept" ? "accepted" : "under_review";
                Taken++;
                LastEvidence = body;
            }

            if (DropAfterTaking)
            {
                context.Abort();
                return Results.Empty;
            }

            return Show(id);
        }

        private IResult Show(string id)
        {
            if (IsDown)
                return Results.StatusCode(503);
            string status;
            lock (_gate)
                status = _status.GetValueOrDefault(id, "needs_response");
            var day = status == "needs_response" ? 0 : 3;
            return Results.Text(
                $$"""
                {"object":"dispute","id":"{{id}}","payment_id":"{{id[2..]}}","status":"{{status}}","stage":"chargeback","amount":10000,"currency":"EUR","reason_code":"13.1",
                 "network":"visa","evidence_due_by":"{{DisputeWorld.Start.AddDays(20):O}}","held_amount":10000,"updated_at":"{{DisputeWorld.Start.AddDays(day):O}}"}
                """,
                "application/json");
        }
    }
}
