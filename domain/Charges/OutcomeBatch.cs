using System.Text;
using System.Text.Json;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Audit;
using Payments.Domain.Balances;
using Payments.Domain.Database;
using Payments.Domain.Idempotency;
using Payments.Domain.Ledger;
using Payments.Domain.Messaging;
using Payments.Domain.Pricing;
using Payments.Domain.Providers;
using Payments.Domain.Refunds;

namespace Payments.Domain.Charges;

/// <summary>
/// The rows of one batch of answers. Each answer is decided on the state that the answer before it left. The batch writes the sum of the
/// changes with one statement per table.
/// </summary>
internal sealed class OutcomeBatch
{
    private readonly Dictionary<(MerchantId, ChargeId), (Charge Charge, Charge Before)> _charges = [];
    private readonly Dictionary<AttemptReference, (Attempt Attempt, Refund? Refund, StoredResponse? Response, int? PayoutDelayDays)> _attempts = [];

    // First attempts without a row, with the first_check_at of their charges. UpdateCharges compares it, and fails if another process has
    // inserted the row.
    private readonly Dictionary<AttemptReference, DateTimeOffset?> _unread = [];
    private readonly HashSet<(MerchantId, ChargeId)> _changedCharges = [];
    private readonly HashSet<AttemptReference> _changedAttempts = [];
    private readonly List<Journal> _journals = [];
    private readonly List<BalanceTransaction> _balanceTransactions = [];
    private readonly List<DomainEvent> _events = [];
    private readonly List<DomainEvent> _firstEvents = [];
    private readonly List<(MerchantId, string, StoredResponse)> _responses = [];
    private readonly List<NextAttempt> _next = [];
    private readonly Dictionary<(AttemptReference Reference, PaymentResult Result), PaymentAnswer> _contradictions = [];
    private readonly List<AuditEntry> _audit = [];
    private readonly List<(ManualSettlement Settlement, AttemptId Attempt, StoredResponse Response)> _settlements = [];

    private readonly MonthlyVolumes _volumes = new();

    // Whether rows were read. The statements that read them also set the plan settings of the transaction (KeptPlans.Use).
    private bool _isKept;

    /// <summary>Locks the monthly volumes that decide a price in this batch. Lock order: after the charges.</summary>
    public Task LockVolumesAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<AttemptAnswer> answers, DateTimeOffset now, CancellationToken ct) =>
        _volumes.LockAsync(
            connection, transaction,
            [.. from answer in answers
                where answer.Answer.Result is PaymentResult.Succeeded && _attempts.ContainsKey(answer.Reference)
                let attempt = _attempts[answer.Reference].Attempt
                where answer.Terms.Plans.At(now).Plan.HasTiers(attempt.Amount.Currency)
                select (attempt.Merchant, attempt.Amount.Currency)],
            now, ct);

    /// <param name="payoutDelayDays">
    /// The payout delay in business days from the settings for the charge's currency. Null means the merchant's own delay.
    /// </param>
    public void Add(Charge charge, Attempt attempt, Refund? refund, StoredResponse? response, int? payoutDelayDays)
    {
        _charges[(charge.Merchant, charge.Id)] = (charge, charge);
        _attempts[attempt.Reference] = (attempt, refund, response, payoutDelayDays);
        _isKept = true;
    }

    /// <summary>Whether the attempt's row was read.</summary>
    public bool Holds(AttemptReference reference) => _attempts.ContainsKey(reference);

    /// <summary>
    /// Adds the rows as this process committed them, without reading or locking them. The attempt is its charge's first and has no row yet.
    /// Returns false if the batch has read the charge already.
    /// </summary>
    public bool TryAdd(WrittenIntent written)
    {
        var (charge, attempt) = (written.Intent.Charge, written.Intent.Attempt);
        if (_charges.TryGetValue((charge.Merchant, charge.Id), out var known) && !ReferenceEquals(known.Charge, charge))
            return false;
        _charges[(charge.Merchant, charge.Id)] = (charge, charge);
        _attempts[attempt.Reference] = (attempt, null, null, written.PayoutDelayDays);
        _unread[attempt.Reference] = attempt.NextCheckAt;
        return true;
    }

    /// <summary>Attempts with an earlier answer whose refund or stored response may have been read before the lock was granted.</summary>
    public IReadOnlyList<AttemptReference> RecordedBefore() =>
    [
        .. _attempts.Values
            .Where(row => row.Attempt.Status is not AttemptStatus.Started && (row.Refund is not null || (row.Response is null && row.Attempt.IdempotencyKey is not null)))
            .Select(row => row.Attempt.Reference),
    ];

    /// <summary>Replaces an attempt's refund and stored response with those read under the lock.</summary>
    public void Refresh(AttemptReference reference, StoredResponse? response, Func<Charge, Refund?> refund)
    {
        var row = _attempts[reference];
        _attempts[reference] = (row.Attempt, refund(_charges[(row.Attempt.Merchant, row.Attempt.Charge)].Charge), response, row.PayoutDelayDays);
    }

    public AttemptOutcome Decide(AttemptAnswer answer, DateTimeOffset now)
    {
        if (!_attempts.TryGetValue(answer.Reference, out var row))
            return new AttemptOutcome(Found: false);
        if (answer.ReportedBy is { } provider && provider != row.Attempt.Provider)
            return new AttemptOutcome(Found: true, Response: row.Response) { Attempt = row.Attempt, IsOfAnotherProvider = true };
        var chargeKey = (row.Attempt.Merchant, row.Attempt.Charge);
        var (charge, before) = _charges[chargeKey];
        var plan = answer.Terms.Plans.At(now);
        var terms = new SettlementTerms(plan.Plan, Availability.AvailableOn(now, charge.Amount.Currency, row.PayoutDelayDays ?? answer.Terms.PayoutDelayDays))
        {
            PlanVersion = plan.Version,
            MerchantCountry = answer.Terms.Country,
            VolumeBefore = _volumes.Before(charge.Merchant, charge.Currency, now),
        };
        var state = new ChargeState(charge, row.Attempt, row.Refund);
        if (answer.Next is { } next && ChargeRules.MoveOn(state, answer.Answer, next, now) is { } moved)
            return GoOn(answer, charge, row.Response, row.PayoutDelayDays, moved.After, before, next);
        var effect = ChargeRules.Apply(state, answer.Answer, terms, now);
        if (effect.Contradicts && answer.Settlement is null)
            _contradictions[(answer.Reference, answer.Answer.Result)] = answer.Answer;
        if (!effect.Changed)
            return new AttemptOutcome(Found: true, Changed: false, effect.Contradicts, charge, row.Response) { Attempt = row.Attempt, Now = Respond(effect.After) };

        var after = effect.After;
        _charges[chargeKey] = (after.Charge, before);
        _changedCharges.Add(chargeKey);
        _changedAttempts.Add(answer.Reference);
        if (effect.Journal is not null)
            _journals.Add(effect.Journal);
        if (effect.BalanceTransaction is { } entry)
        {
            _balanceTransactions.Add(entry);
            if (entry.Type is BalanceTransactionType.Charge)
                _volumes.Add(charge.Merchant, entry.Amount, now);
        }

        var response = row.Response;
        if (response is null)
        {
            response = Respond(after);
            if (after.Attempt.IdempotencyKey is { } key)
                _responses.Add((after.Charge.Merchant, key, response));
        }

        if (effect.Event is not null)
        {
            // A charge that is unchanged since its intent has no event yet, so this one is its first.
            var events = _unread.ContainsKey(answer.Reference) ? _firstEvents : _events;
            events.Add(Event(effect.Event, after, ReferenceEquals(response, row.Response) ? null : response, now) with { TraceParent = answer.TraceParent });
        }

        _attempts[answer.Reference] = (after.Attempt, after.Refund, response, row.PayoutDelayDays);
        return new AttemptOutcome(Found: true, Changed: true, effect.Contradicts, after.Charge, response)
        {
            Operation = after.Attempt.Operation,
            Attempt = after.Attempt,
            Settlement = answer.Settlement is { } settlement ? Audit(settlement, row.Attempt, after.Attempt) : null,
        };
    }

    private AttemptOutcome GoOn(
        AttemptAnswer answer, Charge tried, StoredResponse? response, int? payoutDelayDays, ChargeState after, Charge before, NextAttempt next)
    {
        var chargeKey = (after.Charge.Merchant, after.Charge.Id);
        _charges[chargeKey] = (after.Charge, before);
        _changedCharges.Add(chargeKey);
        _attempts[answer.Reference] = (after.Attempt, null, response, payoutDelayDays);
        _changedAttempts.Add(answer.Reference);
        _next.Add(next);
        return new AttemptOutcome(Found: true, Changed: true, Charge: tried) { Operation = after.Attempt.Operation, Started = next };
    }

    /// <summary>The journals that the batch posts to the ledger.</summary>
    public IList<Journal> Journals => _journals;

    /// <summary>Whether the batch wrote messages to the outbox.</summary>
    public bool Announced { get; private set; }

    /// <summary>
    /// Posts the journals, writes the rows and commits, in one round trip if the posting can be prepared. If no attempt changed, it writes
    /// only contradictions and does not commit.
    /// </summary>
    /// <param name="commit">Adds the commit to the last statements.</param>
    public async Task WriteAsync(
        LedgerPosting ledger, NpgsqlConnection connection, NpgsqlTransaction transaction, DateTimeOffset now, Action<NpgsqlBatch> commit, CancellationToken ct)
    {
        if (_contradictions.Count > 0)
            await ContradictAsync(connection, transaction, now, ct);
        if (_changedAttempts.Count == 0)
            return;

        // Lock order: charges by (merchant, id), as in ChargeSql.LockAttempts.
        var charges = _changedCharges.Select(key => _charges[key]).OrderBy(c => c.Before.Merchant.Value).ThenBy(c => c.Before.Id.Value).ToList();
        var attempts = _changedAttempts.Where(reference => !_unread.ContainsKey(reference)).Select(reference => _attempts[reference].Attempt).ToList();
        var firstAttempts = _changedAttempts.Where(_unread.ContainsKey).Select(reference => _attempts[reference].Attempt).ToList();
        var refunds = _changedAttempts.Select(reference => _attempts[reference].Refund).OfType<Refund>().ToList();
        await using var batch = new NpgsqlBatch(connection, transaction);
        if (!_isKept)
            batch.BatchCommands.Add(new(KeptPlans.Use));
        batch.BatchCommands.Add(UpdateCharges(charges));
        if (attempts.Count > 0)
            batch.BatchCommands.Add(UpdateAttempts(attempts));
        if (firstAttempts.Count > 0)
            batch.BatchCommands.Add(InsertFirstAttempts(firstAttempts));
        if (refunds.Count > 0)
            batch.BatchCommands.Add(UpdateRefunds(refunds));

        // Lock order: charges, then ledger accounts. Every transaction takes the same order.
        var post = await ledger.TryPrepareAsync(_journals, now, ct, allNew: _unread.Count == _attempts.Count);
        if (post is not null)
        {
            batch.BatchCommands.Add(post);
        }
        else if (_journals.Count > 0)
        {
            await batch.ExecuteNonQueryAsync(ct);
            batch.BatchCommands.Clear();
            Check(await ledger.PostAsync(connection, transaction, _journals, now, ct));
        }

        if (_volumes.Write() is { } volumes)
            batch.BatchCommands.Add(volumes);
        if (_next.Count > 0)
            batch.BatchCommands.Add(StartAttempts(_next));
        if (_balanceTransactions.Count > 0)
            batch.BatchCommands.Add(BalanceTransactionLog.Append(_balanceTransactions));
        if (_responses.Count > 0)
            batch.BatchCommands.Add(IdempotencyStore.CompleteMany(_responses, now));
        var append = _events.Count > 0 ? EventLog.Append(_events) : null;
        if (append is not null)
            batch.BatchCommands.Add(append);
        var appendFirst = _firstEvents.Count > 0 ? EventLog.AppendFirst(_firstEvents) : null;
        if (appendFirst is not null)
            batch.BatchCommands.Add(appendFirst);
        if (_audit.Count > 0)
        {
            batch.BatchCommands.Add(AuditLog.Append(_audit, now));
            batch.BatchCommands.Add(KeepAnswers(now));
        }

        commit(batch);
        try
        {
            await batch.ExecuteNonQueryAsync(ct);
        }
        catch (PostgresException e) when (e.SqlState == LedgerSql.Refused)
        {
            throw Refused(e.MessageText, e);
        }

        Announced = append?.RecordsAffected > 0 || appendFirst?.RecordsAffected > 0;
    }

    /// <summary>
    /// No limit of an account applies to these journals. A refusal means a bug or an altered chart of accounts, so the whole batch rolls
    /// back.
    /// </summary>
    private void Check(IReadOnlyList<PostingResult> results)
    {
        for (var i = 0; i < results.Count; i++)
        {
            if (results[i].Status is not (PostingStatus.Posted or PostingStatus.Exists))
                throw Refused($"'{_journals[i].ExternalKey}' {results[i].Status} {results[i].Detail}", null);
        }
    }

    private static InvalidOperationException Refused(string what, Exception? inner) => new($"The ledger does not take what follows from an answer: {what}", inner);

    private StoredResponse Audit(ManualSettlement settlement, Attempt before, Attempt after)
    {
        var settled = OperatorAttemptResource.Of(after);
        _audit.Add(new AttemptDecision(settlement.Reason, OperatorAttemptResource.Of(before), settled).Entry(settlement.Actor, "attempt.settled", before.Merchant));
        var response = new StoredResponse(200, JsonSerializer.SerializeToUtf8Bytes(settled, OperatorAttemptJson.Default.OperatorAttemptResource));
        _settlements.Add((settlement, after.Id, response));
        return response;
    }

    private async Task ContradictAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, DateTimeOffset now, CancellationToken ct)
    {
        var rows = _contradictions.ToList();
        await using var command = new NpgsqlCommand(AttemptSql.Contradict, connection, transaction)
        {
            Parameters =
            {
                Columns.Of(rows, r => r.Key.Reference.Merchant.Value, NpgsqlDbType.Uuid),
                Columns.Of(rows, r => r.Key.Reference.Attempt.Value, NpgsqlDbType.Uuid),
                Columns.Of(rows, r => DbText.Of(r.Key.Result), NpgsqlDbType.Text),
                Columns.Of(rows, r => r.Value.Reference, NpgsqlDbType.Text),
                Columns.Of(rows, r => r.Value.Detail, NpgsqlDbType.Text),
                new() { Value = now },
            },
        };
        await command.ExecuteNonQueryAsync(ct);
    }

    private NpgsqlBatchCommand KeepAnswers(DateTimeOffset now) => new(AttemptSql.KeepAnswers)
    {
        Parameters =
        {
            Columns.Of(_settlements, s => s.Settlement.Request.Merchant.Value, NpgsqlDbType.Uuid),
            Columns.Of(_settlements, s => s.Settlement.Request.Key.Value, NpgsqlDbType.Text),
            Columns.Of(_settlements, s => s.Settlement.Request.Fingerprint, NpgsqlDbType.Bytea),
            Columns.Of(_settlements, s => s.Attempt.Value, NpgsqlDbType.Uuid),
            Columns.Of(_settlements, s => (short)s.Response.Status, NpgsqlDbType.Smallint),
            Columns.Of(_settlements, s => s.Response.Body, NpgsqlDbType.Bytea),
            new() { Value = now },
        },
    };

    /// <summary>An event shows its object exactly as the response does.</summary>
    private static DomainEvent Event(string type, ChargeState after, StoredResponse? response, DateTimeOffset now)
    {
        var id = PrefixedId.New<EventId>(now);
        if (after.Refund is { } refund && type.StartsWith("refund.", StringComparison.Ordinal))
            return new DomainEvent(id, refund.Merchant, type, "refund", refund.Id.Value, Encoding.UTF8.GetString(response?.Body ?? RefundResource.Json(refund)), now);
        var body = response?.Body ?? ChargeResource.Json(after.Charge, after.Attempt);
        return new DomainEvent(id, after.Charge.Merchant, type, "charge", after.Charge.Id.Value, Encoding.UTF8.GetString(body), now);
    }

    /// <summary>
    /// 202 while the provider's answer is unknown. Otherwise 201 for a charge or refund, and 200 for a capture or cancel. A decline is an
    /// outcome too: the object exists and shows it.
    /// </summary>
    private static StoredResponse Respond(ChargeState after)
    {
        var status = after.Attempt.Status is AttemptStatus.Unknown or AttemptStatus.Started ? 202 : 201;
        return after.Attempt.Operation switch
        {
            PaymentOperation.Refund => new StoredResponse(status, RefundResource.Json(after.Refund!)),
            PaymentOperation.Charge => new StoredResponse(after.Charge.Status is ChargeStatus.Processing ? 202 : status, ChargeResource.Json(after.Charge)),
            PaymentOperation.Capture or PaymentOperation.Cancel => new StoredResponse(status is 202 ? 202 : 200, ChargeResource.Json(after.Charge, after.Attempt)),
        };
    }

    private NpgsqlBatchCommand UpdateCharges(List<(Charge Charge, Charge Before)> rows) => new(ChargeSql.UpdateCharges)
    {
        Parameters =
        {
            Columns.Of(rows, r => r.Charge.Merchant.Value, NpgsqlDbType.Uuid),
            Columns.Of(rows, r => r.Charge.Id.Value, NpgsqlDbType.Uuid),
            Columns.Of(rows, r => DbText.Of(r.Before.Status), NpgsqlDbType.Text),
            Columns.Of(rows, r => DbText.Of(r.Charge.Status), NpgsqlDbType.Text),
            Columns.Of(rows, r => r.Charge.Authorized.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, r => r.Charge.Capturing.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, r => r.Charge.Captured.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, r => r.Charge.Canceled.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, r => r.Charge.Refunding.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, r => r.Charge.Refunded.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, r => r.Charge.Fee.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, r => r.Charge.ProviderReference, NpgsqlDbType.Text),
            Columns.Of(rows, r => r.Charge.Decline is { } code ? DbText.Of(code) : null, NpgsqlDbType.Text),
            Columns.Of(rows, r => r.Charge.RedirectUrl, NpgsqlDbType.Text),
            Columns.Of(rows, r => r.Charge.Card is { } card ? JsonSerializer.Serialize(card, ChargeJson.Default.CardDetails) : null, NpgsqlDbType.Text),
            Columns.Of(rows, r => r.Charge.UpdatedAt, NpgsqlDbType.TimestampTz),
            Columns.Of(rows, r => r.Charge.ExpiresAt, NpgsqlDbType.TimestampTz),
            Columns.Of(rows, r => r.Charge.Canceling.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, r => PricingJson.WriteDetails(r.Charge.FeeDetails), NpgsqlDbType.Text),
            Columns.Of(rows, r => r.Charge.FeeReturned.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, r => r.Before.UpdatedAt, NpgsqlDbType.TimestampTz),
            Columns.Of(rows, r => _unread.GetValueOrDefault(new(r.Before.Merchant, AttemptId.FirstOf(r.Before.Id))), NpgsqlDbType.TimestampTz),
        },
    };

    private static NpgsqlBatchCommand InsertFirstAttempts(List<Attempt> rows) => new(ChargeSql.InsertFirstAttempts)
    {
        Parameters =
        {
            Columns.Of(rows, a => a.Merchant.Value, NpgsqlDbType.Uuid),
            Columns.Of(rows, a => a.Id.Value, NpgsqlDbType.Uuid),
            Columns.Of(rows, a => a.Charge.Value, NpgsqlDbType.Uuid),
            Columns.Of(rows, a => DbText.Of(a.Status), NpgsqlDbType.Text),
            Columns.Of(rows, a => a.Provider, NpgsqlDbType.Text),
            Columns.Of(rows, a => a.Amount.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, a => a.ProviderReference, NpgsqlDbType.Text),
            Columns.Of(rows, a => a.Decline is { } code ? DbText.Of(code) : null, NpgsqlDbType.Text),
            Columns.Of(rows, a => a.IdempotencyKey, NpgsqlDbType.Text),
            Columns.Of(rows, a => a.Checks, NpgsqlDbType.Integer),
            Columns.Of(rows, a => a.NextCheckAt, NpgsqlDbType.TimestampTz),
            Columns.Of(rows, a => a.CreatedAt, NpgsqlDbType.TimestampTz),
            Columns.Of(rows, a => a.FinishedAt, NpgsqlDbType.TimestampTz),
        },
    };

    private static NpgsqlBatchCommand UpdateAttempts(List<Attempt> rows) => new(ChargeSql.UpdateAttempts)
    {
        Parameters =
        {
            Columns.Of(rows, a => a.Merchant.Value, NpgsqlDbType.Uuid),
            Columns.Of(rows, a => a.Id.Value, NpgsqlDbType.Uuid),
            Columns.Of(rows, a => DbText.Of(a.Status), NpgsqlDbType.Text),
            Columns.Of(rows, a => a.ProviderReference, NpgsqlDbType.Text),
            Columns.Of(rows, a => a.Decline is { } code ? DbText.Of(code) : null, NpgsqlDbType.Text),
            Columns.Of(rows, a => a.Checks, NpgsqlDbType.Integer),
            Columns.Of(rows, a => a.NextCheckAt, NpgsqlDbType.TimestampTz),
            Columns.Of(rows, a => a.FinishedAt, NpgsqlDbType.TimestampTz),
        },
    };

    private static NpgsqlBatchCommand StartAttempts(List<NextAttempt> rows) => new(ChargeSql.StartAttempts)
    {
        Parameters =
        {
            Columns.Of(rows, r => r.Attempt.Merchant.Value, NpgsqlDbType.Uuid),
            Columns.Of(rows, r => r.Attempt.Id.Value, NpgsqlDbType.Uuid),
            Columns.Of(rows, r => r.Attempt.Charge.Value, NpgsqlDbType.Uuid),
            Columns.Of(rows, r => r.Attempt.Provider, NpgsqlDbType.Text),
            Columns.Of(rows, r => r.Token, NpgsqlDbType.Text),
            Columns.Of(rows, r => r.Attempt.Amount.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, r => r.Attempt.IdempotencyKey, NpgsqlDbType.Text),
            Columns.Of(rows, r => r.Attempt.NextCheckAt, NpgsqlDbType.TimestampTz),
            Columns.Of(rows, r => r.Attempt.CreatedAt, NpgsqlDbType.TimestampTz),
        },
    };

    private static NpgsqlBatchCommand UpdateRefunds(List<Refund> rows) => new(ChargeSql.UpdateRefunds)
    {
        Parameters =
        {
            Columns.Of(rows, r => r.Merchant.Value, NpgsqlDbType.Uuid),
            Columns.Of(rows, r => r.Id.Value, NpgsqlDbType.Uuid),
            Columns.Of(rows, r => DbText.Of(r.Status), NpgsqlDbType.Text),
            Columns.Of(rows, r => r.FailureCode, NpgsqlDbType.Text),
            Columns.Of(rows, r => r.ProviderReference, NpgsqlDbType.Text),
            Columns.Of(rows, r => r.UpdatedAt, NpgsqlDbType.TimestampTz),
            Columns.Of(rows, r => r.FeeReturned.MinorUnits, NpgsqlDbType.Bigint),
        },
    };
}
