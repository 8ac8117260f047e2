using System.Text.Json;
using Payments.Domain;
using Payments.Domain.Audit;
using Payments.Domain.Charges;
using Payments.Domain.Idempotency;
using Payments.Domain.Providers;

namespace Payments.Postgres.Tests.Charges;

/// <summary>Attempts that no machine can end reach a person, and a person can end them, once and on record.</summary>
public sealed class AttemptOversightTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncDisposable
{
    private static readonly Actor Operator = Actor.Platform("test");
    private readonly ChargeWorld _world = new(database);

    [Fact]
    public async Task Overdue_AfterAnHour_IsToldOnce()
    {
        var (charge, attempt) = await UnknownAsync();
        await TellAsync(TimeSpan.FromMinutes(59));
        Assert.DoesNotContain("attempt.overdue", await _world.EventsAsync(charge.Merchant, attempt.Attempt.Value));

        await TellAsync(TimeSpan.FromMinutes(2));
        await TellAsync(TimeSpan.FromHours(5));

        Assert.Equal(["attempt.overdue"], await _world.EventsAsync(charge.Merchant, attempt.Attempt.Value));
        Assert.Contains(await _world.Get<AttemptReads>().ListAsync(AttemptFilter.Overdue, null, null, 100, default), a => a.Reference == attempt);
    }

    [Fact]
    public async Task Resolve_ProviderSilent_AsksWithGrowingPausesAndSendsNothingAgain()
    {
        var (charge, _) = await UnknownAsync();
        var asked = new List<DateTimeOffset>();
        _world.Provider.OnFind = request =>
        {
            if (request.Reference.Merchant == charge.Merchant)
                asked.Add(_world.Time.GetUtcNow());
            return PaymentAnswer.Unknown("silent");
        };
        for (var i = 0; i < 2_000; i++)
        {
            _world.Time.Advance(TimeSpan.FromSeconds(5));
            await _world.Get<ResolveAttempts>().RunAsync(100, default);
        }

        var pauses = asked.Zip(asked.Skip(1), (a, b) => b - a).ToList();
        Assert.Equal(pauses.Order(), pauses);
        Assert.InRange(asked.Count, 6, 14);
        Assert.True(pauses[^1] <= TimeSpan.FromHours(1) + TimeSpan.FromSeconds(5));
        Assert.Single(_world.Provider.Sent, r => r.Reference.Merchant == charge.Merchant);
    }

    [Fact]
    public async Task Settle_ByHand_HasTheEffectOnceAndIsOnRecord()
    {
        var (charge, reference) = await UnknownAsync();
        var request = Platform();
        var input = new SettleAttemptRequest("succeeded", "Found in the processor's portal as captured.", "pay_77", null);

        var first = Ok(await SettleAsync(request, reference, input));
        var again = Ok(await SettleAsync(request, reference, input));
        var other = await SettleAsync(Platform(), reference, input);

        Assert.Equal(first.Body, again.Body);
        Assert.True(again.Replayed);
        Assert.Equal(RefusalCode.StateConflict, other.Match(_ => default, refusal => refusal.Code));
        var end = await _world.ReadAsync(charge.Merchant, charge.Id);
        Assert.Equal((ChargeStatus.Captured, 10_000, "pay_77"), (end.Status, end.Captured.MinorUnits, end.ProviderReference));
        var entry = Assert.Single(await AuditAsync(reference));
        var detail = JsonElement.Parse(entry.Detail!);
        Assert.Equal(("platform/test", "attempt.settled", charge.Merchant), (entry.Actor.Name, entry.Action, entry.Merchant));
        Assert.Equal(
            (input.Reason, "unknown", "succeeded"),
            (detail.GetProperty("reason").GetString(), detail.GetProperty("before").GetProperty("status").GetString(), detail.GetProperty("after").GetProperty("status").GetString()));
    }

    [Fact]
    public async Task Settle_FiftyAtOnce_OneDecides()
    {
        var (charge, reference) = await UnknownAsync();
        var input = new SettleAttemptRequest("succeeded", "Found in the processor's portal as captured.", "pay_77", null);

        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => SettleAsync(Platform(), reference, input)));

        Assert.Single(answers, a => a.TryGet(out _, out _));
        Assert.Single(await AuditAsync(reference));
        Assert.Equal(10_000, (await _world.ReadAsync(charge.Merchant, charge.Id)).Captured.MinorUnits);
    }

    [Theory]
    [InlineData("done", "It was found in the portal.", "pay_1", "outcome")]
    [InlineData(null, "It was found in the portal.", "pay_1", "outcome")]
    [InlineData("succeeded", "short", "pay_1", "reason")]
    [InlineData("succeeded", "It was found in the portal.", null, "provider_reference")]
    [InlineData("authorized", "It was found in the portal.", "pay_1", "outcome")]
    public async Task Settle_WithoutWhatIsNeeded_IsRefusedByName(string? outcome, string reason, string? providerReference, string param)
    {
        var (_, reference) = await UnknownAsync();

        var result = await SettleAsync(Platform(), reference, new SettleAttemptRequest(outcome, reason, providerReference, null));

        Assert.Equal(param, result.Match(_ => null, refusal => refusal.Param));
    }

    [Fact]
    public async Task Contradiction_AfterAHand_IsKeptCountedListedAndAcknowledged()
    {
        var (charge, reference) = await UnknownAsync();
        Ok(await SettleAsync(Platform(), reference, new SettleAttemptRequest("not_carried_out", "The processor says it has never seen it.", null, null)));
        Assert.Equal(ChargeStatus.Declined, (await _world.ReadAsync(charge.Merchant, charge.Id)).Status);

        // And yet it had charged.
        var outcomes = _world.Get<AttemptOutcomes>();
        var reported = new PaymentAnswer(PaymentResult.Succeeded, "pay_9");
        Assert.True((await outcomes.RecordAsync(reference, reported, default)).Contradicts);
        Assert.True((await outcomes.RecordAsync(reference, reported, default)).Contradicts);

        Assert.Equal(0, (await _world.ReadAsync(charge.Merchant, charge.Id)).Captured.MinorUnits);
        var reads = _world.Get<AttemptReads>();
        Assert.Contains(await reads.ListAsync(AttemptFilter.Contradicted, "sandbox", null, 100, default), a => a.Reference == reference);
        var contradiction = Assert.Single((await reads.GetAsync(reference, default))!.Contradictions!);
        Assert.Equal(("succeeded", "pay_9", 2), (contradiction.Result, contradiction.ProviderReference, contradiction.Times));

        // Ids sort by time, to the millisecond.
        _world.Time.Advance(TimeSpan.FromSeconds(1));
        var settle = _world.Get<SettleAttempt>();
        var request = Platform();
        Ok(await settle.AcknowledgeAsync(request, reference, new AcknowledgeRequest("Refunded at the processor's portal."), Operator, default));
        Assert.True(Ok(await settle.AcknowledgeAsync(request, reference, new AcknowledgeRequest("Refunded at the processor's portal."), Operator, default)).Replayed);

        Assert.DoesNotContain(await reads.ListAsync(AttemptFilter.Contradicted, null, null, 100, default), a => a.Reference == reference);
        Assert.Equal(["attempt.acknowledged", "attempt.settled"], (await AuditAsync(reference)).Select(entry => entry.Action));
    }

    public async ValueTask DisposeAsync()
    {
        await _world.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private async Task<(Charge Charge, AttemptReference Reference)> UnknownAsync()
    {
        _world.Provider.OnSend = _ => PaymentAnswer.Unknown("time-out");
        var charge = await _world.ChargeAsync(await _world.MerchantAsync());
        Assert.Equal(ChargeStatus.Processing, charge.Status);
        return (charge, _world.Provider.Sent.Last(r => r.Reference.Merchant == charge.Merchant).Reference);
    }

    /// <summary>Newest first.</summary>
    private async Task<IReadOnlyList<AuditEntry>> AuditAsync(AttemptReference reference) =>
        [.. (await new AuditLog(database.App).ListAsync(new AuditFilter(ObjectId: reference.Attempt.ToString()), null, 100, default)).Select(stored => stored.Entry)];

    private async Task TellAsync(TimeSpan later)
    {
        _world.Time.Advance(later);
        await _world.Get<OverdueAttempts>().RunAsync(100, default);
    }

    private Task<Result<StoredResponse>> SettleAsync(IdempotentRequest request, AttemptReference reference, SettleAttemptRequest input) =>
        _world.Get<SettleAttempt>().SettleAsync(request, reference, input, Operator, default);

    private static IdempotentRequest Platform() => ChargeWorld.Request(new MerchantId(Guid.Empty));

    private static StoredResponse Ok(Result<StoredResponse> result) => result.Match(response => response, refusal => throw new InvalidOperationException(refusal.Detail));
}
