using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Payments.Domain.Disputes;
using Payments.Domain.Disputes.Files;
using Payments.Domain.Messaging;

namespace Payments.Postgres.Tests.Disputes;

public sealed class DisputeFileIngestionTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private const string Header = "case,payment,stage,status,amount,currency,at\n";

    private static readonly DisputeFileDialect Dialect = new()
    {
        Provider = "sandbox",
        Columns = new()
        {
            [DisputeField.DisputeId] = "case",
            [DisputeField.ChargeReference] = "payment",
            [DisputeField.Stage] = "stage",
            [DisputeField.Status] = "status",
            [DisputeField.Amount] = "amount",
            [DisputeField.Currency] = "currency",
            [DisputeField.OccurredAt] = "at",
        },
    };

    [Fact]
    public async Task Apply_GoodAndBadLines_AppliesTheGoodAndNamesTheBad()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("file1");
        var file = await ApplyAsync(world, "acme-good", Header + Line("file1", "needs_response", 1) + "4111 1111 1111 1111,oops\n" + Line("nobody1", "needs_response", 1) + Line("file1", "lost", 9));
        Assert.Equal((DisputeFileStatus.Completed, 2, 0, 1, 1), (file!.Status, file.Applied, file.Duplicate, file.Unmatched, file.Rejected));
        Assert.Equal(DisputeStatus.Lost, (await world.SingleAsync(charge)).State.Status);
        var reject = Assert.Single(await RejectsAsync(world, file));
        Assert.Equal((3, "field_count", "****,oops"), (reject.Line, reject.Reason, reject.Content));
        Assert.Equal(1, await EventsAsync(world, "dispute_file.completed", file));
    }

    [Fact]
    public async Task Apply_SameBytesAgain_DoesNothingButCount()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("file2");
        var text = Header + Line("file2", "needs_response", 1);
        await ApplyAsync(world, "acme-twice", text);
        var again = await ApplyAsync(world, "acme-twice", text, "renamed.csv");
        Assert.Equal((1, 2, "march.csv"), (again!.Applied, again.Arrivals, again.Name));
        Assert.Equal(1, await EventsAsync(world, "dispute_file.completed", again));
        Assert.Equal(1, (await world.SingleAsync(charge)).Version);
    }

    [Fact]
    public async Task Apply_CutFileThenTheWholeOne_AppliesEachLineOnce()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("file3");
        var whole = Header + Line("file3", "needs_response", 1) + Line("file3", "under_review", 3);
        var cut = await ApplyAsync(world, "acme-cut", whole[..^9]);
        Assert.Equal((1, 1), (cut!.Applied, cut.Rejected));
        Assert.Equal("unterminated", Assert.Single(await RejectsAsync(world, cut)).Reason);
        var file = await ApplyAsync(world, "acme-cut", whole);
        Assert.Equal((1, 1, 0), (file!.Applied, file.Duplicate, file.Rejected));
        Assert.Equal(DisputeStatus.UnderReview, (await world.SingleAsync(charge)).State.Status);
        Assert.Equal([("dispute", -10000), ("dispute_fee", -1500)], await world.TransactionsAsync((await world.SingleAsync(charge)).Id));
    }

    [Fact]
    public async Task Apply_RunThatBreaksOff_IsGoneOnWith()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var lines = new StringBuilder(Header);
        for (var i = 0; i < 2000; i++)
            lines.Append(Line($"broken{i}", i % 10 == 0 ? "nonsense" : "needs_response", 1));
        var bytes = Encoding.UTF8.GetBytes(lines.ToString());
        var files = Files(world, batchSize: 100);
        var opened = 0;
        await Assert.ThrowsAsync<IOException>(() => files.ApplyAsync(
            "acme-broken", Dialect, "march.csv", _ => Task.FromResult<Stream>(++opened == 2 ? new BreakingStream(bytes, bytes.Length / 2) : new MemoryStream(bytes)), CancellationToken.None));
        var before = Assert.Single(await files.ListAsync("acme-broken", null, 10, CancellationToken.None));
        Assert.Equal(DisputeFileStatus.Processing, before.Status);
        Assert.InRange(before.LinesDone, 1, 2000);

        var after = await files.ApplyAsync("acme-broken", Dialect, "march.csv", _ => Task.FromResult<Stream>(new MemoryStream(bytes)), CancellationToken.None);
        Assert.Equal((DisputeFileStatus.Completed, 1800, 0, 200), (after!.Status, after.Unmatched, after.Duplicate, after.Rejected));
        Assert.Equal(200, (await RejectsAsync(world, after)).Count);
    }

    [Fact]
    public async Task Apply_ManyRunsAtOnce_CountEachLineOnce()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("file5");
        var text = new StringBuilder(Header).Append(Line("file5", "needs_response", 1));
        for (var i = 0; i < 500; i++)
            text.Append(Line($"crowd{i}", "needs_response", 1));
        var runs = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => ApplyAsync(world, "acme-crowd", text.ToString(), batchSize: 50))));
        Assert.Contains(runs, run => run is { Status: DisputeFileStatus.Completed });
        var file = Assert.Single(await Files(world).ListAsync("acme-crowd", null, 10, CancellationToken.None));
        Assert.Equal((1, 500, 0, 0), (file.Applied, file.Unmatched, file.Duplicate, file.Rejected));
        Assert.Equal([("dispute", -10000), ("dispute_fee", -1500)], await world.TransactionsAsync((await world.SingleAsync(charge)).Id));
    }

    [Fact]
    public async Task Apply_AnotherHeader_RejectsTheFile()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var file = await ApplyAsync(world, "acme-header", "id;payment\n1;2\n");
        Assert.Equal((DisputeFileStatus.Rejected, 0, 1), (file!.Status, file.Applied, file.Rejected));
        Assert.Equal("header_column_missing", Assert.Single(await RejectsAsync(world, file)).Reason);
        Assert.Equal(1, await EventsAsync(world, "dispute_file.rejected", file));
    }

    [Fact]
    public async Task Apply_FileBeforeWebhook_IsOneDispute()
    {
        var world = await DisputeWorld.CreateAsync(database.App);
        var charge = await world.ChargeAsync("file7");
        await ApplyAsync(world, "acme-mixed", Header + Line("file7", "lost", 9));
        await world.IngestAsync(DisputeWorld.Update("file7", DisputeStatus.NeedsResponse, day: 1));
        var dispute = await world.SingleAsync(charge);
        Assert.Equal((DisputeStatus.Lost, "13.1"), (dispute.State.Status, dispute.State.NetworkReasonCode));
        var history = await world.Reads.HistoryAsync(world.Merchant, dispute.Id, CancellationToken.None);
        Assert.Equal([DisputeSource.Webhook, DisputeSource.File], history.Select(entry => entry.Update.Source));
    }

    private static string Line(string reference, string status, int day) =>
        $"d_{reference},{reference},chargeback,{status},10000,EUR,{DisputeWorld.Start.AddDays(day):yyyy-MM-ddTHH:mm:ssZ}\n";

    private DisputeFileIngestion Files(DisputeWorld world, int batchSize = 4000) =>
        new(database.App, world.Ingestion, new OutboxSignal(), world.Clock, NullLogger<DisputeFileIngestion>.Instance) { BatchSize = batchSize };

    private Task<DisputeFile?> ApplyAsync(DisputeWorld world, string partner, string text, string name = "march.csv", int batchSize = 4000) =>
        Files(world, batchSize).ApplyAsync(partner, Dialect, name, _ => Task.FromResult<Stream>(new MemoryStream(Encoding.UTF8.GetBytes(text))), CancellationToken.None);

    private async Task<List<DisputeFileReject>> RejectsAsync(DisputeWorld world, DisputeFile file)
    {
        var rejects = new List<DisputeFileReject>();
        await foreach (var reject in Files(world).RejectsAsync(file.Partner, file.Hash, 0, int.MaxValue, CancellationToken.None))
            rejects.Add(reject);
        return rejects;
    }

    private static Task<long> EventsAsync(DisputeWorld world, string type, DisputeFile file) =>
        world.CountAsync("SELECT count(*) FROM payments.events WHERE type = @type AND data ->> 'hash' = @hash", new { type, hash = Convert.ToHexStringLower(file.Hash) });

    /// <summary>Gives its bytes up to a point and then fails, as a connection does.</summary>
    private sealed class BreakingStream(byte[] bytes, int at) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (Position >= at)
                throw new IOException("The connection broke.");
            return base.ReadAsync(buffer[..(int)Math.Min(buffer.Length, at - Position)], cancellationToken);
        }
    }
}
