using System.Diagnostics.Metrics;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;

namespace Payments.Domain.Observability;

/// <summary>
/// Reports what is open in the database, as gauges of the meter <c>Payments.State</c>: how many, how old, how much. A timer makes one
/// instance measure every minute. An instance reports a value for three minutes. So an instance that no longer measures falls silent
/// instead of repeating old values.
/// </summary>
public sealed class StateMetrics : IDisposable
{
    public const string MeterName = "Payments.State";

    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(3);

    private readonly NpgsqlDataSource _dataSource;
    private readonly TimeProvider _time;
    private readonly Meter _meter = new(MeterName);
    private State? _state;

    public StateMetrics(NpgsqlDataSource dataSource, TimeProvider time)
    {
        _dataSource = dataSource;
        _time = time;
        Gauge("payments.attempts.open", "{attempt}", "Attempts at providers whose outcome is not known", state => state.Attempts.Select(a => Measure(a.Count, ("provider", a.Provider), ("operation", a.Operation))));
        Age("payments.attempts.oldest", "How long the oldest attempt of unknown outcome has been so", (state, now) => state.Attempts.Select(a => Measure(now, a.Since, ("provider", a.Provider), ("operation", a.Operation))));
        Gauge("payments.disputes.due", "{dispute}", "Disputes that wait for a response: overdue, due within a day, due within a week", state => state.Disputes.Select(d => Measure(d.Count, ("within", d.Within))));
        Age("payments.disputes.deadline", "Time until the next response is due; negative when it has passed", (state, now) => state.Disputes.Select(d => Measure(d.Due, now)), zeroWhenNone: false);
        Gauge("payments.disputes.unmatched", "{update}", "Updates of disputes whose charge is not known", state => state.Unmatched.Select(u => Measure(u.Count, ("provider", u.Provider))));
        Gauge("payments.provider_events.open", "{event}", "Events of partners that are not applied, by status", state => state.ProviderEvents.Select(e => Measure(e.Count, ("provider", e.Provider), ("status", e.Status))));
        Age("payments.provider_events.oldest", "How long the oldest event of a partner has been waiting", (state, now) => state.ProviderEvents.Where(e => e.Status != "failed").Select(e => Measure(now, e.Since, ("provider", e.Provider))));
        Gauge("payments.dead_letters.waiting", "{message}", "Messages given up and not replayed", state => state.DeadLetters.Select(l => Measure(l.Count, ("queue", l.Queue))));
        Gauge("payments.payout_runs.amount", "{minor_unit}", "What the newest payout run of a currency pays", state => state.Runs.Select(r => Measure(r.Amount, ("currency", r.Currency))));
        Gauge("payments.payout_runs.payouts", "{payout}", "How many payouts the newest run of a currency made", state => state.Runs.Select(r => Measure(r.Payouts, ("currency", r.Currency))));
        Gauge("payments.payout_runs.refused", "{merchant}", "Merchants whom the newest run of a currency could not pay", state => state.Runs.Select(r => Measure(r.Refused, ("currency", r.Currency))));
        Gauge("payments.bank_items.unmatched", "{item}", "What banks said that was not applied, and files that were rejected, not acknowledged", state => state.BankItems.Select(b => Measure(b.Count, ("reason", b.Reason))));
        Age("payments.payout_runs.oldest", "How long the oldest run has not reached the bank", (state, now) => state.OpenRun is { } since ? [Measure(now, since)] : []);
        Gauge("payments.ledger.unreconciled", "{minor_unit}", "What processors owe and have not settled, and what nobody has explained", state => state.Unreconciled.Select(u => Measure(u.Amount, ("account", u.Account), ("currency", u.Currency))));
        Age("payments.ledger.unsealed", "How long the oldest posting has not been sealed", (state, now) => state.Unsealed is { } since ? [Measure(now, since)] : []);
    }

    /// <summary>Reads all values from the database in one round trip.</summary>
    public async Task MeasureAsync(CancellationToken ct)
    {
        var now = _time.GetUtcNow();
        await using var connection = await _dataSource.OpenConnectionAsync(ct);
        await using var batch = new NpgsqlBatch(connection) { Timeout = 20 };
        batch.BatchCommands.Add(new NpgsqlBatchCommand(KeptPlans.Use));
        batch.BatchCommands.Add(new NpgsqlBatchCommand(StateSql.Attempts) { Parameters = { Time(now) } });
        batch.BatchCommands.Add(new NpgsqlBatchCommand(StateSql.Disputes) { Parameters = { Time(now) } });
        batch.BatchCommands.Add(new NpgsqlBatchCommand(StateSql.UnmatchedDisputes));
        batch.BatchCommands.Add(new NpgsqlBatchCommand(StateSql.ProviderEvents));
        batch.BatchCommands.Add(new NpgsqlBatchCommand(StateSql.DeadLetters));
        batch.BatchCommands.Add(new NpgsqlBatchCommand(StateSql.PayoutRuns) { Parameters = { Time(now) } });
        batch.BatchCommands.Add(new NpgsqlBatchCommand(StateSql.OpenPayoutRun));
        batch.BatchCommands.Add(new NpgsqlBatchCommand(StateSql.Unreconciled));
        batch.BatchCommands.Add(new NpgsqlBatchCommand(StateSql.Unsealed));
        batch.BatchCommands.Add(new NpgsqlBatchCommand(StateSql.UnmatchedBankItems));
        await using var rows = await batch.ExecuteReaderAsync(ct);
        await rows.NextResultAsync(ct);
        var attempts = await ReadAsync(r => new OpenAttempts(r.GetString(0), r.GetString(1), r.GetInt64(2), At(r, 3)!.Value));
        var disputes = await ReadAsync(r => new DueDisputes(r.GetString(0), r.GetInt64(1), At(r, 2)!.Value));
        var unmatched = await ReadAsync(r => new UnmatchedUpdates(r.GetString(0), r.GetInt64(1)));
        var providerEvents = await ReadAsync(r => new OpenEvents(r.GetString(0), r.GetString(1), r.GetInt64(2), At(r, 3)!.Value));
        var deadLetters = await ReadAsync(r => new WaitingLetters(r.GetString(0), r.GetInt64(1)));
        var runs = await ReadAsync(r => new NewestRun(r.GetString(0), r.GetInt64(1), r.GetInt64(2), r.GetInt64(3)));
        var openRun = (await ReadAsync(r => At(r, 0))).FirstOrDefault();
        var unreconciled = await ReadAsync(r => new UnreconciledAmount(r.GetString(0), r.GetString(1), r.GetInt64(2)));
        var unsealed = (await ReadAsync(r => At(r, 0))).FirstOrDefault();
        var bankItems = await ReadAsync(r => new UnmatchedBankItems(r.GetString(0), r.GetInt64(1)));
        Volatile.Write(ref _state, new State(_time.GetTimestamp(), attempts, disputes, unmatched, providerEvents, deadLetters, runs, openRun, unreconciled, unsealed, bankItems));

        async Task<List<T>> ReadAsync<T>(Func<NpgsqlDataReader, T> read)
        {
            var list = new List<T>();
            while (await rows.ReadAsync(ct))
                list.Add(read(rows));
            await rows.NextResultAsync(ct);
            return list;
        }
    }

    /// <summary>Whether the meter belongs to this object. Tests have several.</summary>
    internal bool Owns(Meter meter) => ReferenceEquals(meter, _meter);

    public void Dispose() => _meter.Dispose();

    private static DateTimeOffset? At(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetFieldValue<DateTimeOffset>(column);

    private static NpgsqlParameter Time(DateTimeOffset now) => new() { Value = now.UtcDateTime, NpgsqlDbType = NpgsqlDbType.TimestampTz };

    private static Measurement<long> Measure(long value, params ReadOnlySpan<(string Name, string Value)> tags) => new(value, Tags(tags));

    private static Measurement<double> Measure(DateTimeOffset later, DateTimeOffset earlier, params ReadOnlySpan<(string Name, string Value)> tags) => new((later - earlier).TotalSeconds, Tags(tags));

    private static KeyValuePair<string, object?>[] Tags(ReadOnlySpan<(string Name, string Value)> tags)
    {
        var pairs = new KeyValuePair<string, object?>[tags.Length];
        for (var i = 0; i < tags.Length; i++)
            pairs[i] = new(tags[i].Name, tags[i].Value);
        return pairs;
    }

    // If nothing is open, report zero. An alert must be able to tell zero from silence.
    private void Gauge(string name, string unit, string description, Func<State, IEnumerable<Measurement<long>>> read) =>
        _meter.CreateObservableGauge(name, () => Current() is { } state ? read(state).DefaultIfEmpty(new Measurement<long>(0)) : [], unit, description);

    private void Age(string name, string description, Func<State, DateTimeOffset, IEnumerable<Measurement<double>>> read, bool zeroWhenNone = true)
    {
        _meter.CreateObservableGauge<double>(name, Observe, "s", description);

        IEnumerable<Measurement<double>> Observe()
        {
            if (Current() is not { } state)
                return [];
            var measured = read(state, _time.GetUtcNow());
            return zeroWhenNone ? measured.DefaultIfEmpty(new Measurement<double>(0)) : measured;
        }
    }

    private State? Current() => Volatile.Read(ref _state) is { } state && _time.GetElapsedTime(state.ReadAt) < Fresh ? state : null;

    private sealed record OpenAttempts(string Provider, string Operation, long Count, DateTimeOffset Since);

    private sealed record DueDisputes(string Within, long Count, DateTimeOffset Due);

    private sealed record UnmatchedUpdates(string Provider, long Count);

    private sealed record OpenEvents(string Provider, string Status, long Count, DateTimeOffset Since);

    private sealed record WaitingLetters(string Queue, long Count);

    private sealed record NewestRun(string Currency, long Amount, long Payouts, long Refused);

    private sealed record UnmatchedBankItems(string Reason, long Count);

    private sealed record UnreconciledAmount(string Account, string Currency, long Amount);

    private sealed record State(
        long ReadAt, IReadOnlyList<OpenAttempts> Attempts, IReadOnlyList<DueDisputes> Disputes, IReadOnlyList<UnmatchedUpdates> Unmatched, IReadOnlyList<OpenEvents> ProviderEvents,
        IReadOnlyList<WaitingLetters> DeadLetters, IReadOnlyList<NewestRun> Runs, DateTimeOffset? OpenRun, IReadOnlyList<UnreconciledAmount> Unreconciled, DateTimeOffset? Unsealed,
        IReadOnlyList<UnmatchedBankItems> BankItems);
}
