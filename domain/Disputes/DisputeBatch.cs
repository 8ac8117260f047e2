using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Balances;
using Payments.Domain.Database;
using Payments.Domain.Ledger;
using Payments.Domain.Messaging;
using Payments.Domain.Pricing;

namespace Payments.Domain.Disputes;

/// <summary>
/// One batch of updates: find, lock, decide, write. Lock order: charges by (merchant, id), then disputes by (merchant, id).
/// All batches take this order, so they wait for each other but do not deadlock.
/// </summary>
internal sealed class DisputeBatch(NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<DisputeUpdate> updates)
{
    /// <summary>With fewer rows, a COPY of their own is not worth it.</summary>
    private const int CopyFrom = 100;

    private readonly DisputeIngestionResult[] _results = new DisputeIngestionResult[updates.Count];
    private readonly Dictionary<DisputeUpdate, Guid> _fingerprints = new(updates.Count, ReferenceEqualityComparer.Instance);
    private readonly Dictionary<(MerchantId, ChargeId), Terms?> _charges = [];
    private readonly Dictionary<DisputeKey, Work> _work = [];
    private readonly List<DisputeUpdate> _unmatched = [];
    private readonly List<(Dispute Dispute, bool IsNew)> _changed = [];
    private readonly List<(Dispute, DisputeUpdate)> _history = [];
    private readonly List<BalanceTransaction> _balanceTransactions = [];
    private readonly List<DomainEvent> _events = [];

    public IReadOnlyList<DisputeIngestionResult> Results => _results;

    /// <summary>Whether events were written, so that the outbox has something to send.</summary>
    public bool HasEvents => _events.Count > 0;

    /// <summary>Sorts the updates: refused, duplicate, unmatched, or of a dispute whose charge is known.</summary>
    public async Task FindAsync(CancellationToken ct)
    {
        var open = new List<int>(updates.Count);
        var seen = new HashSet<Guid>(updates.Count);
        for (var i = 0; i < updates.Count; i++)
        {
            if (updates[i].Check() is { } refusal)
            {
                _results[i] = new DisputeIngestionResult(DisputeIngestionStatus.Refused, Refusal: refusal);
            }
            else if (!seen.Add(Fingerprint(updates[i])))
            {
                _results[i] = new DisputeIngestionResult(DisputeIngestionStatus.Duplicate);
            }
            else
            {
                open.Add(i);
            }
        }

        var waiting = new HashSet<int>();
        if (open.Count > 0)
        {
            await ReadAsync(
                DisputeSql.Find,
                row =>
                {
                    var i = row.GetInt32(0);
                    if (row.IsDBNull(1))
                    {
                        if (row.IsDBNull(4))
                            waiting.Add(i);
                        else
                            Add(i, new MerchantId(row.GetGuid(4)), new ChargeId(row.GetGuid(5)));
                    }
                    else if (row.GetBoolean(3))
                    {
                        _results[i] = new DisputeIngestionResult(DisputeIngestionStatus.Duplicate);
                    }
                    else
                    {
                        Add(i, new MerchantId(row.GetGuid(1)), new ChargeId(row.GetGuid(2)));
                    }
                },
                ct,
                Columns.Of(open, i => i, NpgsqlDbType.Integer),
                Columns.Of(open, i => updates[i].Provider, NpgsqlDbType.Text),
                Columns.Of(open, i => updates[i].ProviderDisputeId, NpgsqlDbType.Text),
                Columns.Of(open, i => updates[i].ChargeReference, NpgsqlDbType.Text),
                Columns.Of(open, i => Fingerprint(updates[i]), NpgsqlDbType.Uuid));
        }

        foreach (var i in open)
        {
            // An update may name no charge and still belong to a dispute whose charge another update of the batch names.
            if (_results[i] is not null || (_work.TryGetValue(DisputeKey.Of(updates[i]), out var work) && (work.Indexes.ContainsKey(i) || work.Indexes.TryAdd(i, updates[i]))))
                continue;
            if (!waiting.Contains(i))
                _unmatched.Add(updates[i]);
            _results[i] = new DisputeIngestionResult(waiting.Contains(i) ? DisputeIngestionStatus.Duplicate : DisputeIngestionStatus.Unmatched);
        }
    }

    /// <summary>Locks the charges and disputes and loads everything that is known of them.</summary>
    public async Task LockAsync(DateTimeOffset now, CancellationToken ct)
    {
        if (_work.Count == 0)
        {
            return;
        }

        var charges = _work.Values.Select(w => (w.Merchant, w.Charge)).Distinct().ToList();
        await ReadAsync(DisputeSql.LockCharges, row =>
        {
            var currency = Currency.Of(row.GetString(2));
            var captured = row.GetInt64(3);
            var fees = DisputeFeePlan.Read(row.IsDBNull(5) ? null : row.GetString(5));
            _charges[(new MerchantId(row.GetGuid(0)), new ChargeId(row.GetGuid(1)))] =
                new Terms(new Money(captured > 0 ? captured : row.GetInt64(4), currency), fees.FeesFor(currency));
        }, ct, Columns.Of(charges, c => c.Merchant.Value, NpgsqlDbType.Uuid), Columns.Of(charges, c => c.Charge.Value, NpgsqlDbType.Uuid), new NpgsqlParameter { Value = now });

        // Read after the charges are locked: a transaction that created the dispute meanwhile has committed.
        var work = _work.ToList();
        await ReadAsync(
            DisputeSql.LoadDisputes,
            row =>
            {
                var dispute = DisputeRows.Read(row);
                _work[new DisputeKey(dispute.Provider, dispute.ProviderDisputeId)].Dispute = dispute;
            },
            ct,
            Columns.Of(work, w => w.Value.Merchant.Value, NpgsqlDbType.Uuid),
            Columns.Of(work, w => w.Key.Provider, NpgsqlDbType.Text),
            Columns.Of(work, w => w.Key.ProviderDisputeId, NpgsqlDbType.Text));
        var known = _work.Values.Where(w => w.Dispute is not null).Select(w => w.Dispute!).ToList();
        if (known.Count > 0)
        {
            await ReadAsync(
                DisputeSql.LoadUpdates,
                row => Of(DisputeRows.ReadUpdate(row), (w, update) => w.Known.Add(update)),
                ct,
                Columns.Of(known, d => d.Merchant.Value, NpgsqlDbType.Uuid),
                Columns.Of(known, d => d.Id.Value, NpgsqlDbType.Uuid));
        }

        var waiting = new List<DisputeKey>();
        await ReadAsync(
            DisputeSql.FindWaiting,
            row => waiting.Add(new DisputeKey(row.GetString(0), row.GetString(1))),
            ct,
            Columns.Of(work, w => w.Key.Provider, NpgsqlDbType.Text),
            Columns.Of(work, w => w.Key.ProviderDisputeId, NpgsqlDbType.Text));
        if (waiting.Count > 0)
        {
            await ReadAsync(
                DisputeSql.AdoptUnmatched,
                row => Of(DisputeRows.ReadUpdate(row), (w, update) => w.Adopted.Add(update)),
                ct,
                Columns.Of(waiting, key => key.Provider, NpgsqlDbType.Text),
                Columns.Of(waiting, key => key.ProviderDisputeId, NpgsqlDbType.Text));
        }
    }

    /// <summary>Decides the new state of each dispute and returns the journals to post.</summary>
    public List<Journal> Decide(DateTimeOffset now)
    {
        var journals = new List<Journal>();
        foreach (var (key, work) in _work)
        {
            var news = work.Indexes.Values.Concat(work.Adopted).DistinctBy(Fingerprint).ExceptBy(work.Known.Select(Fingerprint), Fingerprint).ToList();
            var terms = _charges[(work.Merchant, work.Charge)]
                ?? throw new InvalidOperationException($"The charge {work.Charge} of {work.Merchant} was found and could not be locked.");
            if (DisputeHistory.Fold(work.Known.Concat(news), work.Dispute?.ChargeAmount ?? terms.Amount) is not { } state)
            {
                // No update has given an amount yet, so there is no dispute to open.
                _unmatched.AddRange(news);
                Answer(work, new DisputeIngestionResult(DisputeIngestionStatus.Unmatched));
                continue;
            }

            var before = work.Dispute ?? DisputeDecider.Open(
                PrefixedId.New<DisputeId>(now), work.Merchant, work.Charge, terms.Amount, terms.Fees, key.Provider, key.ProviderDisputeId, state, now);
            var decision = DisputeDecider.Decide(before, state, now);
            if (decision.Changed)
            {
                _changed.Add((decision.After, before.Version == 0));
                journals.AddRange(decision.Movements.Select(m => m.Journal));
                _balanceTransactions.AddRange(decision.Movements.Select(m => m.BalanceTransaction).OfType<BalanceTransaction>());
                _events.AddRange(DisputeResource.Events(decision.After, decision.Events, now));
            }

            _history.AddRange(news.Select(update => (decision.After, update)));
            Answer(work, new DisputeIngestionResult(DisputeIngestionStatus.Applied, decision.After));
        }

        return journals;
    }

    /// <param name="bulk">
    /// Whether many unmatched updates may be copied. That is faster, but fails if another transaction has just written one of them.
    /// </param>
    public async Task WriteAsync(DateTimeOffset now, bool bulk, CancellationToken ct)
    {
        var copies = bulk && _unmatched.Count >= CopyFrom;
        if (copies)
        {
            await DisputeRows.CopyUnmatchedAsync(connection, _unmatched, Fingerprint, now, ct);
        }

        await using var batch = new NpgsqlBatch(connection, transaction);
        var opened = _changed.Where(c => c.IsNew).Select(c => c.Dispute).ToList();
        var updated = _changed.Where(c => !c.IsNew).Select(c => c.Dispute).ToList();
        var update = updated.Count > 0 ? DisputeRows.Update(updated) : null;
        if (opened.Count > 0)
        {
            batch.BatchCommands.Add(DisputeRows.Insert(opened));
        }

        if (update is not null)
        {
            batch.BatchCommands.Add(update);
        }

        if (_history.Count > 0)
        {
            batch.BatchCommands.Add(DisputeRows.InsertUpdates(_history, Fingerprint, now));
        }

        if (_unmatched.Count > 0 && !copies)
        {
            batch.BatchCommands.Add(DisputeRows.InsertUnmatched(_unmatched, Fingerprint, now));
        }

        if (_balanceTransactions.Count > 0)
        {
            batch.BatchCommands.Add(BalanceTransactionLog.Append(_balanceTransactions));
        }

        if (_events.Count > 0)
        {
            batch.BatchCommands.Add(EventLog.Append(_events));
        }

        if (batch.BatchCommands.Count == 0)
        {
            return;
        }

        await batch.ExecuteNonQueryAsync(ct);
        if (update is not null && update.RecordsAffected != updated.Count)
        {
            throw new InvalidOperationException("A locked dispute changed its version under the lock.");
        }
    }

    /// <summary>Computed once per update, because the batch needs it several times.</summary>
    private Guid Fingerprint(DisputeUpdate update)
    {
        if (!_fingerprints.TryGetValue(update, out var fingerprint))
            _fingerprints.Add(update, fingerprint = update.Fingerprint());
        return fingerprint;
    }

    private void Add(int index, MerchantId merchant, ChargeId charge)
    {
        var key = DisputeKey.Of(updates[index]);
        if (!_work.TryGetValue(key, out var work))
        {
            _work.Add(key, work = new Work(merchant, charge));
        }

        work.Indexes.TryAdd(index, updates[index]);
        _charges.TryAdd((work.Merchant, work.Charge), null);
    }

    private void Answer(Work work, DisputeIngestionResult result)
    {
        foreach (var index in work.Indexes.Keys)
        {
            _results[index] = result;
        }
    }

    private void Of(DisputeUpdate update, Action<Work, DisputeUpdate> add) => add(_work[DisputeKey.Of(update)], update);

    private async Task ReadAsync(string sql, Action<NpgsqlDataReader> read, CancellationToken ct, params NpgsqlParameter[] parameters)
    {
        await using var command = new NpgsqlCommand(sql, connection, transaction);
        command.Parameters.AddRange(parameters);
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            read(reader);
        }
    }

    /// <summary>The provider's identification of a dispute.</summary>
    private readonly record struct DisputeKey(string Provider, string ProviderDisputeId)
    {
        public static DisputeKey Of(DisputeUpdate update) => new(update.Provider, update.ProviderDisputeId);
    }

    /// <summary>
    /// A charge's amount (see <see cref="Dispute.ChargeAmount"/>), and its merchant's dispute fees in the charge's currency.
    /// </summary>
    private sealed record Terms(Money Amount, DisputeFees Fees);

    private sealed class Work(MerchantId merchant, ChargeId charge)
    {
        public MerchantId Merchant { get; } = merchant;

        public ChargeId Charge { get; } = charge;

        public Dispute? Dispute { get; set; }

        public Dictionary<int, DisputeUpdate> Indexes { get; } = [];

        public List<DisputeUpdate> Known { get; } = [];

        public List<DisputeUpdate> Adopted { get; } = [];
    }
}
