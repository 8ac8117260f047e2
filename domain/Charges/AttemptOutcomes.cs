using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;
using Payments.Domain.Idempotency;
using Payments.Domain.Ledger;
using Payments.Domain.Merchants;
using Payments.Domain.Messaging;
using Payments.Domain.Observability;
using Payments.Domain.Pricing;
using Payments.Domain.Providers;

namespace Payments.Domain.Charges;

/// <summary>A try at another provider that is to follow, and the payment method's token there.</summary>
public sealed record NextAttempt(Attempt Attempt, string Token);

/// <summary>What was learned about an attempt, under which terms it settles.</summary>
/// <param name="Next">What follows where the answer is known and the charge still waits for its first approval; else it is left out.</param>
public sealed record AttemptAnswer(AttemptReference Reference, PaymentAnswer Answer, FeePlanTerms Terms, NextAttempt? Next = null)
{
    /// <summary>The trace of whoever learned it: in a batch each event goes on in its own.</summary>
    public string? TraceParent { get; } = Activity.Current?.Id;

    /// <summary>The person who found it out; null for what a provider said.</summary>
    public ManualSettlement? Settlement { get; init; }

    /// <summary>The provider that reported the answer by itself; null where this process asked the attempt's own provider.</summary>
    public string? ReportedBy { get; init; }

    /// <summary>The rows as whoever asked the provider has written them; null for whoever would have to read them.</summary>
    internal WrittenIntent? Written { get; init; }
}

/// <summary>The merchant's terms as they were read.</summary>
/// <param name="Country">The merchant's, ISO 3166-1 alpha-2.</param>
/// <param name="PayoutDelayDays">Business days until money captured now can be paid out.</param>
/// <param name="ReadAt">A timestamp of the clock, not earlier than the read by more than the merchants' cache is old.</param>
public sealed record FeePlanTerms(FeePlanHistory Plans, string Country, int PayoutDelayDays, long ReadAt)
{
    public static FeePlanTerms Of(Merchant merchant, TimeProvider time) => new(merchant.FeePlans, merchant.Country, merchant.PayoutDelayDays, time.GetTimestamp());
}

/// <summary>How an attempt stands after an answer was recorded.</summary>
/// <param name="Found">False when there is no such attempt here.</param>
/// <param name="Changed">False when the answer told nothing new.</param>
/// <param name="Contradicts">True when the answer cannot be reconciled with what is recorded.</param>
/// <param name="Response">What the caller of the API is told, now and on every repeat.</param>
public sealed record AttemptOutcome(bool Found, bool Changed = false, bool Contradicts = false, Charge? Charge = null, StoredResponse? Response = null)
{
    public PaymentOperation Operation { get; init; }

    /// <summary>The try that was recorded to follow; it is to be sent now. Then there is no response yet.</summary>
    public NextAttempt? Started { get; init; }

    /// <summary>The batch left something in the outbox.</summary>
    internal bool Announced { get; init; }

    internal Attempt? Attempt { get; init; }

    /// <summary>A provider reported it that the attempt was not made at. Nothing changed.</summary>
    internal bool IsOfAnotherProvider { get; init; }

    /// <summary>What the person who settled the attempt is told.</summary>
    internal StoredResponse? Settlement { get; init; }

    /// <summary>What the objects say now, where no answer is kept.</summary>
    internal StoredResponse? Now { get; init; }
}

/// <summary>
/// Records what providers answered. In one transaction for everything that waits: the attempts, their charges and refunds, the ledger, the
/// balance transactions, the events, the stored answers. The response, the webhook and the resolver all come through here, in any order.
/// </summary>
public sealed class AttemptOutcomes : IAsyncDisposable
{
    // Two transactions at a time. What is of one bucket is in one of them: they share neither a merchant's rows nor a stripe of the platform's accounts, so neither waits for the other.
    private const int Lanes = 2;

    private readonly LaneChooser _chooser = new(Lanes, MerchantId.Buckets);
    private readonly GroupCommit<AttemptAnswer, AttemptOutcome>[] _lanes;
    private readonly LedgerPosting _ledger;
    private readonly MerchantReads _merchants;
    private readonly IdempotencyStore _idempotency;
    private readonly OutboxSignal _signal;
    private readonly TimeProvider _time;
    private readonly ILogger<AttemptOutcomes> _log;

    public AttemptOutcomes(
        NpgsqlDataSource dataSource, LedgerPosting ledger, MerchantReads merchants, IdempotencyStore idempotency, OutboxSignal signal, TimeProvider time, ILogger<AttemptOutcomes> log)
    {
        _ledger = ledger;
        _merchants = merchants;
        _idempotency = idempotency;
        _signal = signal;
        _time = time;
        _log = log;
        _lanes = [.. Enumerable.Range(0, Lanes).Select(_ => new GroupCommit<AttemptAnswer, AttemptOutcome>("charge-outcomes", dataSource, RecordBatchAsync, new GroupCommitOptions(), time))];
    }

    /// <summary>
    /// Records an answer. Recording it again, or after another that settled the attempt, changes nothing and returns what was recorded.
    /// </summary>
    /// <param name="next">The try that follows in the same transaction, if this one ended without effect before anyone else recorded it.</param>
    /// <param name="written">The intent, when it was this process that committed it: then nothing has to be read, unless somebody else was faster.</param>
    public Task<AttemptOutcome> RecordAsync(AttemptReference reference, PaymentAnswer answer, CancellationToken ct, NextAttempt? next = null, WrittenIntent? written = null) =>
        RecordAsync(reference, answer, next, null, written, null, ct);

    /// <summary>Records what a provider reports by itself. It counts only for an attempt that was made at this provider.</summary>
    public Task<AttemptOutcome> RecordAsync(string reportedBy, AttemptReference reference, PaymentAnswer answer, CancellationToken ct) =>
        RecordAsync(reference, answer, null, null, null, reportedBy, ct);

    /// <summary>Records what a person found out, with the audit of it in the same transaction. Only what settles the attempt changes anything.</summary>
    internal Task<AttemptOutcome> SettleAsync(AttemptReference reference, PaymentAnswer answer, ManualSettlement settlement, CancellationToken ct) =>
        RecordAsync(reference, answer, null, settlement, null, null, ct);

    private async Task<AttemptOutcome> RecordAsync(
        AttemptReference reference, PaymentAnswer answer, NextAttempt? next, ManualSettlement? settlement, WrittenIntent? written,
            string? reportedBy,
        CancellationToken ct)
    {
        if (await _merchants.GetCachedAsync(reference.Merchant, ct) is not { } merchant)
            return new AttemptOutcome(Found: false);
        var submitted = new AttemptAnswer(reference, answer, FeePlanTerms.Of(merchant, _time), next) { Settlement = settlement,
            Written = written, ReportedBy = reportedBy };
        var outcome = await SubmitAsync(submitted, ct);
        if (outcome is { Changed: true, Charge: { } charge })
            ChargeMetrics.Learned(charge.Provider, outcome.Operation, answer);
        if (outcome.Changed && settlement is not null)
            ChargeLog.SettledByHand(_log, settlement.Actor.Name, reference.Attempt, answer.Result, settlement.Reason);
        if (outcome.Contradicts && settlement is null)
        {
            ChargeMetrics.Contradicted(outcome.Charge?.Provider ?? "");
            ChargeLog.Contradiction(_log, reference.Attempt, answer.Result, answer.Detail);
        }

        if (outcome.Announced)
            _signal.Set();
        if (outcome is not { Found: true, Response: null })
            return outcome;

        // Somebody else recorded it a moment ago, perhaps after the batch had looked for the answer that is kept: that one counts.
        var kept = outcome.Attempt?.IdempotencyKey is { } key ? await _idempotency.FindAsync(reference.Merchant, key, ct) : null;
        return outcome with { Response = kept ?? outcome.Now };
    }

    private async Task<AttemptOutcome> SubmitAsync(AttemptAnswer answer, CancellationToken ct)
    {
        var bucket = answer.Reference.Merchant.Bucket;
        var lane = _lanes[_chooser.Enter(bucket)];
        try
        {
            return await lane.SubmitAsync(answer, ct);
        }
        finally
        {
            _chooser.Leave(bucket);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var lane in _lanes)
            await lane.DisposeAsync();
    }

    private async ValueTask<IReadOnlyList<AttemptOutcome>> RecordBatchAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<AttemptAnswer> answers, BatchCommit<AttemptOutcome> commit, CancellationToken ct)
    {
        var now = _time.GetUtcNow();
        answers = await RefreshAsync(answers, ct);
        try
        {
            return await RecordBatchAsync(connection, transaction, answers, KnownRows(answers, now), commit, now, ct);
        }
        catch (PostgresException e) when (e.SqlState == ChargeSql.NotAsBefore)
        {
            // A webhook was faster, or the resolver. All of the batch is undone and done again on what is there now.
            await using (var startOver = new NpgsqlCommand("ROLLBACK AND CHAIN", connection, transaction))
                await startOver.ExecuteNonQueryAsync(ct);
            commit.Undone();
            PreparedStatements.Forget(connection);
            return await RecordBatchAsync(connection, transaction, answers, [], commit, now, ct);
        }
    }

    /// <summary>
    /// The answers whose rows need not be read: their own process has written them a moment ago, and nobody else tells of them in the same batch. Not where a month's volume decides the price: its
    /// lock follows those of the charges, everywhere.
    /// </summary>
    private static HashSet<AttemptReference> KnownRows(IReadOnlyList<AttemptAnswer> answers, DateTimeOffset now)
    {
        var known = answers
            .Where(a => a.Written is { } written && !a.Terms.Plans.At(now).Plan.HasTiers(written.Intent.Attempt.Amount.Currency))
            .Select(a => a.Reference).ToHashSet();
        if (known.Count < answers.Count)
            known.ExceptWith(answers.Where(a => a.Written is null).Select(a => a.Reference));
        return known;
    }

    private async ValueTask<IReadOnlyList<AttemptOutcome>> RecordBatchAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<AttemptAnswer> answers, HashSet<AttemptReference> known, BatchCommit<AttemptOutcome> commit, DateTimeOffset now,
        CancellationToken ct)
    {
        var work = new OutcomeBatch();
        var unread = answers.Select(a => a.Reference).Where(reference => !known.Contains(reference)).Distinct().ToList();
        if (unread.Count > 0)
            await LoadAsync(connection, transaction, work, unread, ct);

        // Where the batch has read the charge for another attempt of its, the row that is locked counts.
        var told = answers.Where(a => known.Contains(a.Reference) && !work.TryAdd(a.Written!)).Select(a => a.Reference).Distinct().ToList();
        if (told.Count > 0)
            await LoadAsync(connection, transaction, work, told, ct);
        await work.LockVolumesAsync(connection, transaction, answers, now, ct);
        var outcomes = new AttemptOutcome[answers.Count];
        for (var i = 0; i < outcomes.Length; i++)
            outcomes[i] = work.Decide(answers[i], now);

        if (PaymentSteps.IsObserved(PaymentSteps.OutcomeDecided))
        {
            PaymentSteps.Reached(
                PaymentSteps.OutcomeDecided,
                new PaymentStep([.. outcomes.Where(o => o.Changed).Select(o => o.Operation)]) { Transaction = transaction, Journals = work.Journals });
        }

        var announced = outcomes.Select(outcome => outcome with { Announced = true }).ToArray();
        await work.WriteAsync(_ledger, connection, transaction, now, batch => commit.AddTo(batch, announced), ct);
        return work.Announced ? announced : outcomes;
    }

    /// <summary>
    /// Reads terms again that have waited, for a database that was down say: a fee plan is stored a minute before it takes effect, so terms of half that age know every version.
    /// </summary>
    private async ValueTask<IReadOnlyList<AttemptAnswer>> RefreshAsync(IReadOnlyList<AttemptAnswer> answers, CancellationToken ct)
    {
        if (!answers.Any(IsStale))
            return answers;
        var fresh = new List<AttemptAnswer>(answers.Count);
        foreach (var answer in answers)
        {
            var merchant = IsStale(answer) ? await _merchants.GetCachedAsync(answer.Reference.Merchant, ct) : null;
            fresh.Add(merchant is null ? answer : answer with { Terms = FeePlanTerms.Of(merchant, _time) });
        }

        return fresh;
    }

    private bool IsStale(AttemptAnswer answer) => _time.GetElapsedTime(answer.Terms.ReadAt) > FeePlanHistory.Lead / 2;

    private static async Task LoadAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, OutcomeBatch batch, List<AttemptReference> references, CancellationToken ct)
    {
        await LockAsync(connection, transaction, batch, references, isFirst: false, ct);
        var missing = references.Where(reference => !batch.Holds(reference)).ToList();
        if (missing.Count > 0)
            await LockAsync(connection, transaction, batch, missing, isFirst: true, ct);

        // The lock of an attempt that has been recorded before may have been waited for: then the rows beside it, which are not locked, were read as they were before that.
        var recorded = batch.RecordedBefore();
        if (recorded.Count > 0)
        {
            await using var again = new NpgsqlCommand(ChargeSql.BesideAttempts, connection, transaction);
            again.Parameters.Add(Columns.Of(recorded, r => r.Merchant.Value, NpgsqlDbType.Uuid));
            again.Parameters.Add(Columns.Of(recorded, r => r.Attempt.Value, NpgsqlDbType.Uuid));
            await using var row = await again.ExecuteReaderAsync(ct);
            while (await row.ReadAsync(ct))
            {
                var response = row.IsDBNull(2) ? null : new StoredResponse(row.GetInt16(2), row.GetFieldValue<byte[]>(3));
                batch.Refresh(new AttemptReference(new MerchantId(row.GetGuid(0)), new AttemptId(row.GetGuid(1))), response, charge => ChargeRows.ReadRefund(row, charge, 4));
            }
        }
    }

    /// <param name="isFirst">Those that are begun and have no row of their own get it before.</param>
    private static async Task LockAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, OutcomeBatch batch, List<AttemptReference> references, bool isFirst, CancellationToken ct)
    {
        await using var command = new NpgsqlBatch(connection, transaction) { BatchCommands = { new(KeptPlans.Use) } };
        if (isFirst)
            command.BatchCommands.Add(Of(ChargeSql.RecordFirstAttempts));
        command.BatchCommands.Add(Of(ChargeSql.LockAttempts));
        await using var row = await command.ExecuteReaderAsync(ct);
        await row.NextResultAsync(ct);
        await ReadAsync(row, batch, ct);

        NpgsqlBatchCommand Of(string sql) =>
            new(sql) { Parameters = { Columns.Of(references, r => r.Merchant.Value, NpgsqlDbType.Uuid), Columns.Of(references, r => r.Attempt.Value, NpgsqlDbType.Uuid) } };
    }

    private static async Task ReadAsync(NpgsqlDataReader row, OutcomeBatch batch, CancellationToken ct)
    {
        const int RefundAt = ChargeRows.ChargeWidth + ChargeRows.AttemptWidth;
        const int ResponseAt = RefundAt + ChargeRows.RefundWidth;
        while (await row.ReadAsync(ct))
        {
            var charge = ChargeRows.ReadCharge(row);
            var attempt = ChargeRows.ReadAttempt(row, charge, ChargeRows.ChargeWidth);
            var response = row.IsDBNull(ResponseAt) ? null : new StoredResponse(row.GetInt16(ResponseAt), row.GetFieldValue<byte[]>(ResponseAt + 1));
            int? payoutDelayDays = row.IsDBNull(ResponseAt + 2) ? null : row.GetInt16(ResponseAt + 2);
            batch.Add(charge, attempt, ChargeRows.ReadRefund(row, charge, RefundAt), response, payoutDelayDays);
        }
    }
}
