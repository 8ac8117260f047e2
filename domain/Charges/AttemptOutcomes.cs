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

/// <summary>The next attempt of a charge at another provider, with the payment method's token at that provider.</summary>
public sealed record NextAttempt(Attempt Attempt, string Token);

/// <summary>An answer about an attempt, with the merchant's terms under which it settles.</summary>
/// <param name="Next">
/// The attempt at the next provider. It is recorded only if this attempt ends without effect while the charge is pending. Otherwise it is
/// ignored.
/// </param>
public sealed record AttemptAnswer(AttemptReference Reference, PaymentAnswer Answer, FeePlanTerms Terms, NextAttempt? Next = null)
{
    /// <summary>
    /// The trace of the caller that submitted the answer. The answers of a batch have different traces, and each event continues its own.
    /// </summary>
    public string? TraceParent { get; } = Activity.Current?.Id;

    /// <summary>The decision of the operator who settled the attempt by hand. Null for a provider's answer.</summary>
    public ManualSettlement? Settlement { get; init; }

    /// <summary>
    /// The provider whose event reported the answer. Null if this process asked the attempt's own provider, or if an operator settled the
    /// attempt.
    /// </summary>
    public string? ReportedBy { get; init; }

    /// <summary>The intent as this process committed it. Null if the batch has to read the rows.</summary>
    internal WrittenIntent? Written { get; init; }
}

/// <summary>The merchant's fee plans and payout terms at one time.</summary>
/// <param name="Country">ISO 3166-1 alpha-2 code of the merchant's country.</param>
/// <param name="PayoutDelayDays">Business days between a capture and the day on which its money can be paid out.</param>
/// <param name="ReadAt">Timestamp of the clock. The terms were read at most <see cref="MerchantReads.CacheLifetime"/> before it.</param>
public sealed record FeePlanTerms(FeePlanHistory Plans, string Country, int PayoutDelayDays, long ReadAt)
{
    public static FeePlanTerms Of(Merchant merchant, TimeProvider time) => new(merchant.FeePlans, merchant.Country, merchant.PayoutDelayDays, time.GetTimestamp());
}

/// <summary>The state of an attempt after an answer was recorded.</summary>
/// <param name="Found">False if the attempt does not exist.</param>
/// <param name="Changed">False if the answer says nothing new.</param>
/// <param name="Contradicts">True if the answer contradicts the recorded outcome.</param>
/// <param name="Response">What the API answers to the caller, now and on every repeat of the request.</param>
public sealed record AttemptOutcome(bool Found, bool Changed = false, bool Contradicts = false, Charge? Charge = null, StoredResponse? Response = null)
{
    public PaymentOperation Operation { get; init; }

    /// <summary>The next attempt, which the batch recorded. It must be sent now. There is no response yet.</summary>
    public NextAttempt? Started { get; init; }

    /// <summary>The batch wrote messages to the outbox.</summary>
    internal bool Announced { get; init; }

    internal Attempt? Attempt { get; init; }

    /// <summary>The provider that reported the answer is not the attempt's provider. Nothing changed.</summary>
    internal bool IsOfAnotherProvider { get; init; }

    /// <summary>The response to the operator who settled the attempt.</summary>
    internal StoredResponse? Settlement { get; init; }

    /// <summary>A response made of the current objects. It is used only if no response is stored under the caller's key.</summary>
    internal StoredResponse? Now { get; init; }
}

/// <summary>
/// Records the answers of providers. One transaction records all waiting answers: attempts, charges, refunds, journals, balance
/// transactions, events and stored responses. Responses, provider events, the resolver and operators all record here, in any order.
/// </summary>
public sealed class AttemptOutcomes : IAsyncDisposable
{
    // Two transactions run at a time. All waiting answers of a bucket are in the same lane. The lanes share no merchant's rows and no
    // bucket of the platform's accounts, so neither waits for the other.
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

    /// <summary>Records an answer. Idempotent: an answer that says nothing new changes nothing and returns the recorded outcome.</summary>
    /// <param name="next">
    /// The attempt at the next provider. The same transaction records it if this attempt ended without effect and no other process recorded
    /// an outcome first.
    /// </param>
    /// <param name="written">
    /// The intent, if this process committed it. The batch then reads no rows, unless another process recorded an outcome first.
    /// </param>
    public Task<AttemptOutcome> RecordAsync(AttemptReference reference, PaymentAnswer answer, CancellationToken ct, NextAttempt? next = null, WrittenIntent? written = null) =>
        RecordAsync(reference, answer, next, null, written, null, ct);

    /// <summary>Records an answer that a provider reported in an event. It counts only for an attempt at this provider.</summary>
    public Task<AttemptOutcome> RecordAsync(string reportedBy, AttemptReference reference, PaymentAnswer answer, CancellationToken ct) =>
        RecordAsync(reference, answer, null, null, null, reportedBy, ct);

    /// <summary>
    /// Records an operator's settlement and its audit entry in one transaction. Only an outcome that settles the attempt changes anything.
    /// </summary>
    internal Task<AttemptOutcome> SettleAsync(AttemptReference reference, PaymentAnswer answer, ManualSettlement settlement, CancellationToken ct) =>
        RecordAsync(reference, answer, null, settlement, null, null, ct);

    private async Task<AttemptOutcome> RecordAsync(
        AttemptReference reference, PaymentAnswer answer, NextAttempt? next, ManualSettlement? settlement, WrittenIntent? written,
        string? reportedBy, CancellationToken ct)
    {
        if (await _merchants.GetCachedAsync(reference.Merchant, ct) is not { } merchant)
            return new AttemptOutcome(Found: false);
        var submitted = new AttemptAnswer(reference, answer, FeePlanTerms.Of(merchant, _time), next)
        {
            Settlement = settlement,
            Written = written,
            ReportedBy = reportedBy,
        };
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

        // Another process recorded the outcome first, perhaps after this batch looked for the stored response. The stored response counts.
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
            // A provider event or the resolver changed a charge after its intent was committed. The batch rolls back and starts again,
            // reading all rows.
            await using (var startOver = new NpgsqlCommand("ROLLBACK AND CHAIN", connection, transaction))
                await startOver.ExecuteNonQueryAsync(ct);
            commit.Undone();
            PreparedStatements.Forget(connection);
            return await RecordBatchAsync(connection, transaction, answers, [], commit, now, ct);
        }
    }

    /// <summary>
    /// The attempts whose rows this batch need not read: this process committed their intents, and no other answer of the batch needs the
    /// rows. An attempt whose price depends on the month's volume is always read. Lock order: charges, then monthly volumes. Every
    /// transaction takes the same order.
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

        // If the batch already locked the charge for another attempt, the locked row counts, so this attempt's rows are read as well.
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
    /// Reads old terms again, for example after a wait for the database. A fee plan is stored at least <see cref="FeePlanHistory.Lead"/>
    /// before it takes effect. So terms of at most half that age include every version in force.
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

        // The statement may have waited for the locks of these attempts. Refunds and stored responses are not locked, so it may have read
        // them as they were before the wait. They are read again under the locks.
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

    /// <param name="isFirst">Inserts the missing rows of first attempts before it locks them.</param>
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
