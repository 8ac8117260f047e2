using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Payments.Domain;
using Payments.Domain.Audit;
using Payments.Domain.Charges;
using Payments.Domain.Database;
using Payments.Domain.Disputes;
using Payments.Domain.Disputes.Warnings;
using Payments.Domain.Idempotency;
using Payments.Domain.Ledger;
using Payments.Domain.Merchants;
using Payments.Domain.Messaging;
using Payments.Domain.Providers;
using Payments.Domain.Secrets;

namespace Payments.Postgres.Tests.Disputes;

/// <summary>Early warnings that a rule refunds, refunds of charges that disputes hold money of, and the races between them.</summary>
public sealed class RefundWarningsTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    [Fact]
    public async Task Run_WarningThatTheRuleCovers_IsRefundedOnceAndPrevented()
    {
        await using var world = await CreateAsync(upTo: 10_000);
        var charge = await world.WarnedAsync("warn_covered");
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(world.RunAsync)));
        world.Disputes.Clock.Now += TimeSpan.FromMinutes(2);
        await world.RunAsync();

        var refund = Assert.Single(await world.RefundsAsync(charge));
        Assert.Equal(("succeeded", 10_000, "fraudulent"), (refund.Status, refund.Amount, refund.Reason));
        Assert.Equal(1, world.Processor.Refunds);
        var dispute = await world.Disputes.SingleAsync(charge);
        Assert.Equal(DisputeStatus.Prevented, dispute.State.Status);
        Assert.Equal(["dispute.created", "dispute.updated", "dispute.closed"], await world.Disputes.EventsAsync(dispute.Id));
        var history = await world.Disputes.Reads.HistoryAsync(world.Disputes.Merchant, dispute.Id, CancellationToken.None);
        Assert.Equal((DisputeSource.Rule, refund.Id), (history[^1].Update.Source, history[^1].Update.SourceReference));
        Assert.Equal(-10_000, await world.Disputes.LedgerAsync("available"));
        Assert.Equal("refunded", await world.RuleAsync(dispute.Id));
    }

    [Fact]
    public async Task Run_WarningThatNamesNoAmount_RefundsTheWholeCharge()
    {
        await using var world = await CreateAsync(upTo: 10_000);
        var charge = await world.Disputes.ChargeAsync("warn_amountless", amount: 9_900);
        Assert.Equal(DisputeIngestionStatus.Applied, await world.Disputes.IngestAsync(Warning("warn_amountless", 1) with { Amount = null }));
        await world.RunAsync();
        Assert.Equal(9_900, Assert.Single(await world.RefundsAsync(charge)).Amount);
        Assert.Equal((DisputeStatus.Prevented, 9_900), await world.Disputes.SingleAsync(charge) is var dispute ? (dispute.State.Status, dispute.State.Amount.MinorUnits) : default);
    }

    [Fact]
    public async Task Run_WarningAboveTheAmountBeforeTheRuleOrInAnotherStage_IsLeftAlone()
    {
        await using var world = await CreateAsync(upTo: null);
        var before = await world.WarnedAsync("warn_before");
        world.Disputes.Clock.Now += TimeSpan.FromMinutes(1);
        await world.RuleAsync(5_000);
        world.Disputes.Clock.Now += TimeSpan.FromMinutes(1);
        var above = await world.WarnedAsync("warn_above", amount: 5_001);
        var inquiry = await world.WarnedAsync("warn_inquiry", stage: DisputeStage.Inquiry, amount: 100);
        var foreign = await world.Disputes.ChargeAsync("warn_foreign");
        await world.Disputes.IngestAsync(Warning("warn_foreign", 100) with { Amount = new Money(100, Currency.Usd) });
        await world.RunAsync();
        foreach (var charge in (ChargeId[])[before, above, inquiry, foreign])
            Assert.Empty(await world.RefundsAsync(charge));

        // Switched off, it covers nothing more.
        await world.RuleAsync(null);
        var off = await world.WarnedAsync("warn_off", amount: 100);
        await world.RunAsync();
        Assert.Empty(await world.RefundsAsync(off));
    }

    [Theory]
    [InlineData(DisputeStatus.NeedsResponse)]
    [InlineData(DisputeStatus.Won)]
    [InlineData(DisputeStatus.Lost)]
    public async Task Run_ChargeWithAChargebackOfAnotherDispute_IsNeverRefunded(DisputeStatus status)
    {
        await using var world = await CreateAsync(upTo: 10_000);
        var reference = $"warn_after_{status}";
        var charge = await world.Disputes.ChargeAsync(reference);
        await world.Disputes.IngestAsync(DisputeWorld.Update(reference, status) with { ProviderDisputeId = $"cb_{reference}" });
        await world.Disputes.IngestAsync(Warning(reference, 1_000));
        for (var hour = 0; hour < 5; hour++)
        {
            await world.RunAsync();
            world.Disputes.Clock.Now += TimeSpan.FromHours(1.1);
        }

        Assert.Empty(await world.RefundsAsync(charge));
        Assert.Equal(0, world.Processor.Refunds);
        var warning = (await world.Disputes.Reads.OfChargeAsync(world.Disputes.Merchant, charge, CancellationToken.None)).Single(d => d.State.Stage == DisputeStage.EarlyWarning);
        Assert.Equal("refused", await world.RuleAsync(warning.Id));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Run_ChargebackArrivesAtTheSameMoment_RefundsOnlyIfItIsNot(bool commits)
    {
        await using var world = await CreateAsync(upTo: 10_000);
        var reference = $"warn_race_{commits}";
        var charge = await world.WarnedAsync(reference);
        await using var connection = await database.App.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await world.Disputes.Ingestion.ApplyAsync(connection, transaction, [DisputeWorld.Update(reference, DisputeStatus.NeedsResponse, day: 1)], CancellationToken.None);

        // The chargeback is written and not committed: the rule sees the warning still, and waits for the charge.
        var run = Task.Run(world.RunAsync);
        await world.BlockedAsync(run);
        if (commits)
            await transaction.CommitAsync();
        else
            await transaction.RollbackAsync();
        await run;
        Assert.Equal(commits ? 0 : 1, (await world.RefundsAsync(charge)).Count);
        Assert.Equal(commits ? 0 : 1, world.Processor.Refunds);
        var dispute = await world.Disputes.SingleAsync(charge);
        Assert.Equal(commits ? (DisputeStage.Chargeback, 10_000) : (DisputeStage.EarlyWarning, 0), (dispute.State.Stage, dispute.Posted.Disputed.MinorUnits));
    }

    [Fact]
    public async Task Run_ManyWarningsAndChargebacksAtOnce_RefundsNoneThatHadItsChargebackFirst()
    {
        await using var world = await CreateAsync(upTo: 10_000);
        var charges = new List<ChargeId>();
        for (var i = 0; i < 24; i++)
            charges.Add(await world.WarnedAsync($"warn_many{i}"));
        var chargebacks = Task.Run(async () =>
        {
            for (var i = 0; i < charges.Count; i++)
                await world.Disputes.IngestAsync(DisputeWorld.Update($"warn_many{i}", DisputeStatus.NeedsResponse, day: 1));
        });
        await Task.WhenAll(chargebacks, Task.Run(world.RunAsync), Task.Run(world.RunAsync));
        world.Disputes.Clock.Now += TimeSpan.FromMinutes(2);
        await world.RunAsync();

        var refunded = 0;
        foreach (var charge in charges)
        {
            // A chargeback that came after the refund takes the money a second time, as the processor does; the refund is the evidence against it.
            var dispute = await world.Disputes.SingleAsync(charge);
            Assert.Equal((DisputeStage.Chargeback, 10_000), (dispute.State.Stage, dispute.Posted.Disputed.MinorUnits));
            refunded += (await world.RefundsAsync(charge)).Count;
        }

        Assert.Equal(world.Processor.Refunds, refunded);
        Assert.Equal((-10_000 * refunded) - (11_500 * charges.Count), await world.Disputes.LedgerAsync("available"));
        Assert.Equal(10_000 * charges.Count, await world.Disputes.LedgerAsync("disputed"));
    }

    [Fact]
    public async Task Run_ProviderFallsSilent_WaitsForTheOutcomeAndRefundsNothingTwice()
    {
        await using var world = await CreateAsync(upTo: 10_000);
        world.Processor.Answer = _ => PaymentAnswer.Unknown("silence");
        var charge = await world.WarnedAsync("warn_silent");
        for (var i = 0; i < 3; i++)
        {
            await world.RunAsync();
            world.Disputes.Clock.Now += TimeSpan.FromMinutes(2);
        }

        Assert.Equal("processing", Assert.Single(await world.RefundsAsync(charge)).Status);
        Assert.Equal(DisputeStatus.WarningNeedsResponse, (await world.Disputes.SingleAsync(charge)).State.Status);
        Assert.Equal(1, world.Processor.Refunds);

        world.Processor.Found = request => new PaymentAnswer(PaymentResult.Succeeded, "re_found");
        await world.ResolveAsync();
        await world.RunAsync();
        Assert.Equal(DisputeStatus.Prevented, (await world.Disputes.SingleAsync(charge)).State.Status);
        Assert.Equal(1, world.Processor.Refunds);
    }

    [Fact]
    public async Task Run_RefundFails_IsTriedAgainUnderAnotherAndEndsOnce()
    {
        await using var world = await CreateAsync(upTo: 10_000);
        world.Processor.Answer = _ => PaymentAnswer.NotSent("out of reach");
        var charge = await world.WarnedAsync("warn_fails");
        await world.RunAsync();
        world.Disputes.Clock.Now += TimeSpan.FromMinutes(2);
        await world.RunAsync();
        Assert.Single(await world.RefundsAsync(charge));
        world.Processor.Answer = _ => new PaymentAnswer(PaymentResult.Succeeded, "re_second");
        world.Disputes.Clock.Now += TimeSpan.FromHours(1.1);
        await world.RunAsync();
        Assert.Equal(["failed", "succeeded"], (await world.RefundsAsync(charge)).Select(refund => refund.Status));
        Assert.Equal(DisputeStatus.Prevented, (await world.Disputes.SingleAsync(charge)).State.Status);
    }

    [Fact]
    public async Task Run_CrashedAfterItWasTaken_IsTakenUpAgain()
    {
        await using var world = await CreateAsync(upTo: 10_000);
        var charge = await world.WarnedAsync("warn_crashed");
        var dispute = await world.Disputes.SingleAsync(charge);
        await world.Disputes.CountAsync(
            """
            WITH made AS (
                INSERT INTO payments.dispute_refunds (bucket, merchant_id, dispute_id, refund_id, status, attempts, next_check_at,
                    created_at)
                VALUES (payments.bucket_of(@merchant), @merchant, @dispute, @refund, 'started', 1, @now, @now)
                RETURNING 1)
            SELECT count(*) FROM made
            """,
            new { merchant = world.Disputes.Merchant.Value, dispute = dispute.Id.Value, refund = PrefixedId.New<RefundId>(world.Disputes.Clock.Now).Value, now = world.Disputes.Clock.Now });
        await world.RunAsync();
        Assert.Equal("succeeded", Assert.Single(await world.RefundsAsync(charge)).Status);
        Assert.Equal(DisputeStatus.Prevented, (await world.Disputes.SingleAsync(charge)).State.Status);
    }

    [Theory]
    [InlineData(10_000, DisputeStatus.NeedsResponse, null, "nothing is left")]
    [InlineData(10_000, DisputeStatus.Lost, null, "nothing is left")]
    [InlineData(10_000, DisputeStatus.Won, 10_000L, null)]
    [InlineData(4_000, DisputeStatus.NeedsResponse, 6_000L, null)]
    [InlineData(4_000, DisputeStatus.NeedsResponse, 6_001L, "too large")]
    public async Task Refund_OfAChargeThatIsDisputed_IsLimitedToWhatTheDisputeLeaves(long disputed, DisputeStatus status, long? amount, string? refusal)
    {
        await using var world = await CreateAsync(upTo: null);
        var reference = $"guard_{disputed}_{status}_{amount}";
        var charge = await world.Disputes.ChargeAsync(reference);
        await world.Disputes.IngestAsync(DisputeWorld.Update(reference, status, amount: new Money(disputed, Currency.Eur)));
        var start = await world.RefundAsync(charge, amount);
        Assert.Equal(refusal switch { null => null, "too large" => RefusalCode.AmountTooLarge, _ => RefusalCode.StateConflict }, start.Refusal?.Code);
        Assert.Equal(refusal is null ? amount : null, start.State?.Refund?.Amount.MinorUnits);
    }

    [Fact]
    public async Task Refund_BegunBeforeTheChargeback_StandsAndTheDisputeTakesItsOwn()
    {
        await using var world = await CreateAsync(upTo: null);
        var charge = await world.Disputes.ChargeAsync("guard_before");
        await using var connection = await database.App.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var start = (await OperationIntents.RecordAsync(connection, transaction, [world.Intent(charge, 10_000)], CancellationToken.None))[0];
        Assert.Null(start.Refusal);
        var told = Task.Run(() => world.Disputes.IngestAsync(DisputeWorld.Update("guard_before", DisputeStatus.NeedsResponse)));
        await world.BlockedAsync(told);
        await transaction.CommitAsync();
        Assert.Equal(DisputeIngestionStatus.Applied, await told);
        Assert.Equal(10_000, (await world.Disputes.SingleAsync(charge)).Posted.Disputed.MinorUnits);
        Assert.Equal(RefusalCode.StateConflict, (await world.RefundAsync(charge, 1)).Refusal?.Code);
    }

    private static DisputeUpdate Warning(string reference, long amount, DisputeStage stage = DisputeStage.EarlyWarning) =>
        DisputeWorld.Update(reference, DisputeStatus.WarningNeedsResponse, stage: stage, amount: new Money(amount, Currency.Eur));

    private async Task<World> CreateAsync(long? upTo)
    {
        var world = new World(database.App, await DisputeWorld.CreateAsync(database.App));
        await world.RuleAsync(upTo);
        return world;
    }

    /// <summary>A processor that does as it is told and counts the refunds it was asked for.</summary>
    private sealed class Processor : IPaymentProvider
    {
        private int _refunds;

        public string Name => "sandbox";

        public int Refunds => _refunds;

        public Func<PaymentRequest, PaymentAnswer> Answer { get; set; } = request => new PaymentAnswer(PaymentResult.Succeeded, $"re_{request.Reference.Attempt}");

        public Func<PaymentRequest, PaymentAnswer?> Found { get; set; } = _ => null;

        public Task<PaymentAnswer> SendAsync(PaymentRequest request, CancellationToken ct)
        {
            Interlocked.Increment(ref _refunds);
            return Task.FromResult(Answer(request));
        }

        public Task<PaymentAnswer?> FindAsync(PaymentRequest request, CancellationToken ct) => Task.FromResult(Found(request));
    }

    private sealed class World : IAsyncDisposable
    {
        private readonly NpgsqlDataSource _dataSource;
        private readonly GroupCommit<OperationIntent, OperationStart> _intents;
        private readonly AttemptOutcomes _outcomes;
        private readonly PaymentProviders _providers;
        private readonly RefundWarnings _warnings;

        public World(NpgsqlDataSource dataSource, DisputeWorld disputes)
        {
            _dataSource = dataSource;
            Disputes = disputes;
            _providers = new PaymentProviders([Processor]);
            var idempotency = new IdempotencyStore(dataSource, new SecretBox(new Dictionary<string, byte[]> { ["test"] = new byte[32] }, "test"), disputes.Clock);
            var merchants = new MerchantReads(dataSource, disputes.Clock);
            _intents = new GroupCommit<OperationIntent, OperationStart>("test-intents", dataSource, OperationIntents.RecordAsync, new GroupCommitOptions(), disputes.Clock);
            _outcomes = new AttemptOutcomes(dataSource, new LedgerPosting(dataSource), merchants, idempotency, new OutboxSignal(), disputes.Clock, NullLogger<AttemptOutcomes>.Instance);
            var operations = new ChargeOperations(_intents, _outcomes, idempotency, merchants, _providers, new OutboxSignal(), disputes.Clock, NullLogger<ChargeOperations>.Instance);
            _warnings = new RefundWarnings(dataSource, operations, disputes.Ingestion, disputes.Clock, NullLogger<RefundWarnings>.Instance);
        }

        public DisputeWorld Disputes { get; }

        public Processor Processor { get; } = new();

        public async Task RunAsync()
        {
            // Warnings of other tests may be due as well; it goes on until none is.
            while (await _warnings.RunAsync(100, CancellationToken.None) == 100)
            {
            }
        }

        public async Task ResolveAsync() =>
            await new ResolveAttempts(_dataSource, _outcomes, _providers, Disputes.Clock, NullLogger<ResolveAttempts>.Instance).RunAsync(100, CancellationToken.None);

        public async Task RuleAsync(long? upTo) => Assert.True(
            (await new DisputeSettings(_dataSource, Disputes.Clock).ChangeAsync(Disputes.Merchant, Currency.Eur, new DisputeSettingsRequest(upTo), Actor.Platform("test"), CancellationToken.None)).TryGet(out _, out var refusal),
            refusal?.Detail);

        public async Task<ChargeId> WarnedAsync(string reference, long amount = 10_000, DisputeStage stage = DisputeStage.EarlyWarning)
        {
            var charge = await Disputes.ChargeAsync(reference);
            await Disputes.IngestAsync(Warning(reference, amount, stage));
            return charge;
        }

        public async Task<List<(string Id, string Status, long Amount, string? Reason)>> RefundsAsync(ChargeId charge)
        {
            await using var connection = await _dataSource.OpenConnectionAsync();
            var rows = await connection.QueryAsync<(Guid Id, string Status, long Amount, string? Reason)>(
                "SELECT id, status, amount, reason FROM payments.refunds WHERE merchant_id = @merchant AND charge_id = @charge ORDER BY created_at, id",
                new { merchant = Disputes.Merchant.Value, charge = charge.Value });
            return [.. rows.Select(row => (new RefundId(row.Id).ToString(), row.Status, row.Amount, row.Reason))];
        }

        public async Task<string?> RuleAsync(DisputeId dispute)
        {
            await using var connection = await _dataSource.OpenConnectionAsync();
            return await connection.ExecuteScalarAsync<string>(
                "SELECT status FROM payments.dispute_refunds WHERE merchant_id = @merchant AND dispute_id = @dispute", new { merchant = Disputes.Merchant.Value, dispute = dispute.Value });
        }

        public OperationIntent Intent(ChargeId charge, long? amount) =>
            new(Disputes.Merchant, charge, PaymentOperation.Refund, amount, PrefixedId.New<AttemptId>(Disputes.Clock.Now), null, Disputes.Clock.Now) { Refund = PrefixedId.New<RefundId>(Disputes.Clock.Now) };

        public async Task<OperationStart> RefundAsync(ChargeId charge, long? amount) => await _intents.SubmitAsync(Intent(charge, amount), CancellationToken.None);

        /// <summary>Waits until somebody waits for a lock in this database, which no other test does at the same time.</summary>
        public async Task BlockedAsync(Task waiting)
        {
            var deadline = TimeProvider.System.GetTimestamp() + (30 * TimeProvider.System.TimestampFrequency);
            while (await Disputes.CountAsync("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'", new { }) == 0)
            {
                Assert.False(waiting.IsCompleted, "It did not wait for the charge.");
                Assert.True(TimeProvider.System.GetTimestamp() < deadline, "Nobody waits for the charge.");
                await Task.Delay(20);
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _intents.DisposeAsync();
            await _outcomes.DisposeAsync();
        }
    }
}
