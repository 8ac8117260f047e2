using System.Globalization;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Audit;
using Payments.Domain.Balances;
using Payments.Domain.Database;
using Payments.Domain.Messaging;

namespace Payments.Domain.Payouts;

/// <summary>
/// Pays merchants, one run for each date, currency and mode. A run divides its merchants into lanes and walks the lanes side by side, in
/// chunks. Each chunk is one transaction that also moves the lane's cursor. So a crash leaves only whole chunks, and the next start
/// continues behind them. Two instances never work on one lane at the same time.
/// </summary>
public sealed class RunPayouts
{
    private const string Timer = "timer";

    private readonly NpgsqlDataSource _dataSource;
    private readonly ReleaseFunds _release;
    private readonly PayoutWriter _writer;
    private readonly PayoutFiles _files;
    private readonly PayoutsOptions _options;
    private readonly OutboxSignal _signal;
    private readonly TimeProvider _time;
    private readonly ILogger<RunPayouts> _logger;

    internal RunPayouts(
        NpgsqlDataSource dataSource, ReleaseFunds release, PayoutWriter writer, PayoutFiles files, PayoutsOptions options,
            OutboxSignal signal, TimeProvider time, ILogger<RunPayouts> logger)
    {
        _dataSource = dataSource;
        _release = release;
        _writer = writer;
        _files = files;
        _options = options;
        _signal = signal;
        _time = time;
        _logger = logger;
    }

    /// <summary>
    /// Releases what is due, finishes interrupted runs, then runs every currency whose date has come. Safe to call at any time, from any
    /// number of instances.
    /// </summary>
    /// <exception cref="AggregateException">
    /// Some runs failed. All others were run. The next call continues the failed runs where they stopped.
    /// </exception>
    public async Task RunDueAsync(CancellationToken ct)
    {
        await _release.RunAsync(ct);
        var due = (await OpenRunsAsync(ct)).Where(run => HasBankFor(run.Mode)).ToList();
        foreach (var mode in Modes())
        {
            foreach (var currency in await CurrenciesAsync(mode, ct))
            {
                if (PayoutRunClock.DueDate(_time.GetUtcNow(), currency, _options.RunAt) is { } date)
                    due.Add((date, currency, mode));
            }
        }

        var failures = new List<Exception>();
        foreach (var (date, currency, mode) in due.Distinct())
        {
            try
            {
                await RunReleasedAsync(date, currency, mode, Timer, ct);
            }
            catch (Exception e) when (!ct.IsCancellationRequested)
            {
                // If the bank of one currency cannot be reached, the merchants of the other currencies must still be paid.
                PayoutLog.RunFailed(_logger, e, date, currency.Code);
                failures.Add(e);
            }
        }

        if (failures.Count > 0)
        {
            throw new AggregateException("Payout runs failed.", failures);
        }
    }

    /// <summary>
    /// Releases what is due, then runs a date of a currency to its end, except for lanes that another instance is working on. A complete
    /// run is not changed.
    /// </summary>
    /// <param name="startedBy">The actor that starts the run. It is stored with the run.</param>
    /// <param name="mode">Whether live or test accounts are paid.</param>
    public async Task<PayoutRun> RunAsync(DateOnly date, Currency currency, string startedBy, CancellationToken ct, Mode mode = Mode.Live)
    {
        await _release.RunAsync(ct);
        return await RunReleasedAsync(date, currency, mode, startedBy, ct);
    }

    /// <summary>Test payouts go only to the sandbox bank. Without its API there are no test runs.</summary>
    public bool HasBankFor(Mode mode) => mode == Mode.Live || _options.HasBankApi;

    private IEnumerable<Mode> Modes() => Enum.GetValues<Mode>().Where(HasBankFor);

    private async Task<PayoutRun> RunReleasedAsync(DateOnly date, Currency currency, Mode mode, string startedBy, CancellationToken ct)
    {
        var run = await StartAsync(date, currency, startedBy, ct, mode);
        if (run.Status == PayoutRunStatus.Creating)
        {
            await Task.WhenAll((await OpenLanesAsync(run.Id, ct)).Select(lane => CreateLaneAsync(run.Id, lane, ct)));
            run = await GetAsync(date, currency, ct, mode) ?? throw Gone(date, currency);
        }

        if (run.Status == PayoutRunStatus.Created)
        {
            if (run.Rail == PayoutRail.File)
            {
                await _files.WriteAsync(run, ct);
            }

            await EndAsync(run.Id, ct);
        }

        run = await GetAsync(date, currency, ct, mode) ?? throw Gone(date, currency);
        PayoutLog.RunEnded(_logger, run.Date, run.Currency.Code, run.Status, run.Considered, run.Payouts, run.Amount, run.Refused);
        return run;
    }

    private static InvalidOperationException Gone(DateOnly date, Currency currency) => new($"The run of {date:O} {currency} is gone.");

    /// <summary>The date in the zone of the currency's payment system.</summary>
    public DateOnly Today(Currency currency) => Availability.DueDate(_time.GetUtcNow(), currency);

    public async Task<PayoutRun?> GetAsync(DateOnly date, Currency currency, CancellationToken ct, Mode mode = Mode.Live)
    {
        await using var command = _dataSource.CreateCommand(PayoutSql.GetRun);
        command.Parameters.Add(new() { Value = date });
        command.Parameters.Add(new() { Value = currency.Code });
        command.Parameters.Add(new() { Value = DbText.Of(mode) });
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await reader.ReadAsync(ct) ? PayoutRun.Read(reader) : null;
    }

    public async Task<IReadOnlyList<PayoutRun>> ListAsync(int limit, CancellationToken ct, Mode mode = Mode.Live)
    {
        await using var command = _dataSource.CreateCommand(PayoutSql.ListRuns);
        command.Parameters.Add(new() { Value = limit });
        command.Parameters.Add(new() { Value = DbText.Of(mode) });
        await using var reader = await command.ExecuteReaderAsync(ct);
        var runs = new List<PayoutRun>();
        while (await reader.ReadAsync(ct))
        {
            runs.Add(PayoutRun.Read(reader));
        }

        return runs;
    }

    private async Task CreateLaneAsync(PayoutRunId id, int lane, CancellationToken ct)
    {
        while (await CreateChunkAsync(id, lane, ct))
        {
        }
    }

    internal async Task<IReadOnlyList<int>> OpenLanesAsync(PayoutRunId run, CancellationToken ct)
    {
        await using var command = _dataSource.CreateCommand(PayoutSql.OpenLanesOf);
        command.Parameters.Add(new() { Value = run.Value });
        await using var reader = await command.ExecuteReaderAsync(ct);
        var lanes = new List<int>();
        while (await reader.ReadAsync(ct))
        {
            lanes.Add(reader.GetInt32(0));
        }

        return lanes;
    }

    /// <summary>
    /// Looks at the next merchants of a lane and pays those that are due. Returns false if the lane is done, or if another instance is
    /// working on it.
    /// </summary>
    internal async Task<bool> CreateChunkAsync(PayoutRunId id, int lane, CancellationToken ct)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await TryCreateChunkAsync(id, lane, ct);
            }
            catch (Exception e) when (attempt < 3 && DatabaseErrors.Advise(e) is RetryAdvice.Again)
            {
                // The transaction conflicted with another one and was rolled back, so nothing of the chunk exists. Try again.
            }
        }
    }

    private async Task<bool> TryCreateChunkAsync(PayoutRunId id, int lane, CancellationToken ct)
    {
        await using var connection = await _dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        if (await LockAsync(connection, transaction, id, lane, ct) is not var (run, cursor, end))
        {
            return false;
        }

        var now = _time.GetUtcNow();
        var candidates = await PayoutWriter.CollectAsync(connection, transaction, run.Currency, await LockNextAsync(connection, transaction, run, cursor, end, ct), ct);
        var decided = candidates.Select(candidate => (Candidate: candidate, Decision: PayoutRules.Decide(candidate.Position, run.Date, now))).ToList();
        var calendar = BusinessCalendar.Of(run.Currency);
        var terms = new PayoutTerms(run.Id, run.Currency, run.Rail, PayoutMethod.Standard, run.Date, calendar.Add(run.ExecutionDate, 1));
        var written = await _writer.WriteAsync(connection, transaction, terms, [.. decided.Where(d => d.Decision.Pays)], now, ct);
        await RescheduleAsync(connection, transaction, run, decided, written.Refused, calendar, ct);

        var done = candidates.Count < _options.ChunkSize;
        await AdvanceAsync(connection, transaction, run.Id, lane, candidates.Count == 0 ? cursor : candidates[^1].Merchant.Value, done, candidates.Count, written, ct);
        await transaction.CommitAsync(ct);
        _signal.Set();
        foreach (var (merchant, reason) in written.Refused)
        {
            PayoutLog.Refused(_logger, merchant, run.Date, run.Currency.Code, reason);
        }

        return !done;
    }

    private async Task AdvanceAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, PayoutRunId run, int lane, Guid cursor, bool done, int considered, PayoutsWritten written, CancellationToken ct)
    {
        // Lock order: the lane's row, then the run's row. The run's row comes last, so that lanes wait for each other only while they
        // commit.
        await using var batch = new NpgsqlBatch(connection, transaction)
        {
            BatchCommands =
            {
                new(PayoutSql.AdvanceLane) { Parameters = { new() { Value = run.Value }, new() { Value = lane }, new() { Value = cursor }, new() { Value = done } } },
                new(PayoutSql.HoldRun) { Parameters = { new() { Value = run.Value } } },
                new(PayoutSql.AdvanceRun)
                {
                    Parameters =
                    {
                        new() { Value = run.Value },
                        new() { Value = (long)considered },
                        new() { Value = (long)written.Payouts.Count },
                        new() { Value = written.Payouts.Sum(p => p.Amount.MinorUnits) },
                        new() { Value = (long)written.Refused.Count },
                        new() { Value = _time.GetUtcNow() },
                    },
                },
            },
        };
        await batch.ExecuteNonQueryAsync(ct);
    }

    internal async Task<PayoutRun> StartAsync(DateOnly date, Currency currency, string startedBy, CancellationToken ct,
        Mode mode = Mode.Live)
    {
        var now = _time.GetUtcNow();
        var id = Guid.CreateVersion7(now);
        await using var connection = await _dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using var start = new NpgsqlCommand(PayoutSql.StartRun, connection, transaction)
        {
            Parameters =
            {
                new() { Value = id },
                new() { Value = date },
                new() { Value = currency.Code },
                new() { Value = DbText.Of(_options.RailOf(currency, mode)) },
                new() { Value = PayoutRunClock.ExecutionDate(now, currency) },
                new() { Value = startedBy },
                new() { Value = now },
                new() { Value = DbText.Of(mode) },
            },
        };
        if (await start.ExecuteNonQueryAsync(ct) == 1)
        {
            await using var lanes = new NpgsqlCommand(PayoutSql.OpenLanes, connection, transaction)
            {
                Parameters =
                {
                    new() { Value = id },
                    new() { Value = _options.Lanes },
                    new() { Value = currency.Code },
                    new() { Value = DbText.Of(mode) },
                },
            };
            await lanes.ExecuteNonQueryAsync(ct);
            if (startedBy != Timer)
            {
                var detail = AuditEntry.Details(
                    ("date", date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)),
                    ("currency", currency.Code),
                    ("mode", DbText.Of(mode)));
                var run = new PayoutRunId(id).ToString();
                var entry = new AuditEntry(new Actor(startedBy), "payout_run.started", "payout_run", run, null, detail);
                await AuditLog.WriteAsync(connection, transaction, entry, now, ct);
            }
        }

        await transaction.CommitAsync(ct);
        return await GetAsync(date, currency, ct, mode) ?? throw Gone(date, currency);
    }

    private static async Task<(PayoutRun Run, Guid Cursor, Guid End)?> LockAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, PayoutRunId id, int lane, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(PayoutSql.LockLane, connection, transaction) { Parameters = { new() { Value = id.Value }, new() { Value = lane } } };
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await reader.ReadAsync(ct) ? (PayoutRun.Read(reader), reader.GetGuid(15), reader.GetGuid(16)) : null;
    }

    private async Task<List<PayoutCandidate>> LockNextAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, PayoutRun run, Guid cursor, Guid end, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(PayoutSql.LockNext, connection, transaction)
        {
            Parameters =
            {
                new() { Value = run.Currency.Code },
                new() { Value = cursor },
                new() { Value = _options.ChunkSize },
                new() { Value = end },
                new() { Value = DbText.Of(run.Mode) },
            },
        };
        await using var reader = await command.ExecuteReaderAsync(ct);
        var candidates = new List<PayoutCandidate>(_options.ChunkSize);
        while (await reader.ReadAsync(ct))
        {
            candidates.Add(PayoutCandidate.Read(reader, run.Currency, _options));
        }

        return candidates;
    }

    // A date that has come is used up if the run paid, or if the money rolls over to the schedule's next date. If a person must act first
    // (a hold, an account to verify), the date stays due. The first run after that action then pays.
    private static async Task RescheduleAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, PayoutRun run, List<(PayoutCandidate Candidate, PayoutDecision Decision)> decided, IReadOnlyList<(MerchantId Merchant, string Reason)> refused, BusinessCalendar calendar, CancellationToken ct)
    {
        var due = decided
            .Where(d => d.Candidate.Position.DueOn <= run.Date && d.Decision.UsesUpTheDate && refused.All(r => r.Merchant != d.Candidate.Merchant))
            .Select(d => d.Candidate)
            .ToList();
        if (due.Count == 0)
        {
            return;
        }

        await using var command = new NpgsqlCommand(PayoutSql.Reschedule, connection, transaction)
        {
            Parameters =
            {
                new() { Value = run.Currency.Code },
                Columns.Of(due, c => c.Merchant.Value, NpgsqlDbType.Uuid),
                Columns.Of(due, c => c.Schedule.NextAfter(run.Date, calendar)!.Value, NpgsqlDbType.Date),
            },
        };
        await command.ExecuteNonQueryAsync(ct);
    }

    private async Task EndAsync(PayoutRunId id, CancellationToken ct)
    {
        await using var command = _dataSource.CreateCommand(PayoutSql.EndRun);
        command.Parameters.Add(new() { Value = id.Value });
        command.Parameters.Add(new() { Value = _time.GetUtcNow() });
        await command.ExecuteNonQueryAsync(ct);
    }

    private async Task<IReadOnlyList<(DateOnly Date, Currency Currency, Mode Mode)>> OpenRunsAsync(CancellationToken ct)
    {
        await using var command = _dataSource.CreateCommand(PayoutSql.OpenRuns);
        await using var reader = await command.ExecuteReaderAsync(ct);
        var runs = new List<(DateOnly, Currency, Mode)>();
        while (await reader.ReadAsync(ct))
        {
            runs.Add((reader.GetFieldValue<DateOnly>(0), Currency.Of(reader.GetString(1)), DbText.Parse<Mode>(reader.GetString(2))));
        }

        return runs;
    }

    private async Task<IReadOnlyList<Currency>> CurrenciesAsync(Mode mode, CancellationToken ct)
    {
        await using var command = _dataSource.CreateCommand(PayoutSql.Currencies);
        command.Parameters.Add(new() { Value = Currency.All.Select(c => c.Code).ToArray() });
        command.Parameters.Add(new() { Value = DbText.Of(mode) });
        await using var reader = await command.ExecuteReaderAsync(ct);
        var currencies = new List<Currency>();
        while (await reader.ReadAsync(ct))
        {
            currencies.Add(Currency.Of(reader.GetString(0)));
        }

        return currencies;
    }
}
