using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;
using Payments.Domain.Messaging;

namespace Payments.Domain.Payouts;

/// <summary>
/// Pays merchants, one run for each date and currency. It works in chunks of merchants, each a transaction that also moves the run's cursor: a
/// crash at any point leaves whole chunks, and whoever starts the run again continues behind the last one. Two instances never work on one run at a time.
/// </summary>
public sealed class RunPayouts
{
    private readonly NpgsqlDataSource _dataSource;
    private readonly PayoutWriter _writer;
    private readonly PayoutFiles _files;
    private readonly PayoutsOptions _options;
    private readonly OutboxSignal _signal;
    private readonly TimeProvider _time;
    private readonly ILogger<RunPayouts> _logger;

    internal RunPayouts(NpgsqlDataSource dataSource, PayoutWriter writer, PayoutFiles files, PayoutsOptions options, OutboxSignal signal, TimeProvider time, ILogger<RunPayouts> logger)
    {
        _dataSource = dataSource;
        _writer = writer;
        _files = files;
        _options = options;
        _signal = signal;
        _time = time;
        _logger = logger;
    }

    /// <summary>
    /// Finishes runs that were cut off, then runs every currency whose date has come. Safe to call at any time, from any number of instances.
    /// </summary>
    /// <exception cref="AggregateException">Some runs failed. The others were run, and those that failed go on where they stood the next time.</exception>
    public async Task RunDueAsync(CancellationToken ct)
    {
        var due = (await OpenRunsAsync(ct)).ToList();
        foreach (var currency in await CurrenciesAsync(ct))
        {
            if (PayoutRunClock.DueDate(_time.GetUtcNow(), currency, _options.RunAt) is { } date)
            {
                due.Add((date, currency));
            }
        }

        var failures = new List<Exception>();
        foreach (var (date, currency) in due.Distinct())
        {
            try
            {
                await RunAsync(date, currency, "timer", ct);
            }
            catch (Exception e) when (!ct.IsCancellationRequested)
            {
                // One currency's bank being out of reach must not keep the merchants of the others waiting.
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
    /// Runs a date of a currency to its end, or as far as another instance has not already. A run that is complete changes nothing.
    /// </summary>
    /// <param name="startedBy">Who asked for it; kept with the run.</param>
    public async Task<PayoutRun> RunAsync(DateOnly date, Currency currency, string startedBy, CancellationToken ct)
    {
        var run = await StartAsync(date, currency, startedBy, ct);
        while (run.Status == PayoutRunStatus.Creating && await CreateChunkAsync(run.Id, ct) is { } advanced)
        {
            run = advanced;
        }

        if (run.Status == PayoutRunStatus.Created)
        {
            if (run.Rail == PayoutRail.File)
            {
                await _files.WriteAsync(run, ct);
            }

            await EndAsync(run.Id, ct);
        }

        run = await GetAsync(date, currency, ct) ?? throw new InvalidOperationException($"The run of {date:O} {currency} is gone.");
        PayoutLog.RunEnded(_logger, run.Date, run.Currency.Code, run.Status, run.Considered, run.Payouts, run.Amount, run.Refused);
        return run;
    }

    /// <summary>The date in the zone of the currency's payment system.</summary>
    public DateOnly Today(Currency currency) => Availability.DueDate(_time.GetUtcNow(), currency);

    public async Task<PayoutRun?> GetAsync(DateOnly date, Currency currency, CancellationToken ct)
    {
        await using var command = _dataSource.CreateCommand(PayoutSql.GetRun);
        command.Parameters.Add(new() { Value = date });
        command.Parameters.Add(new() { Value = currency.Code });
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await reader.ReadAsync(ct) ? PayoutRun.Read(reader) : null;
    }

    public async Task<IReadOnlyList<PayoutRun>> ListAsync(int limit, CancellationToken ct)
    {
        await using var command = _dataSource.CreateCommand(PayoutSql.ListRuns);
        command.Parameters.Add(new() { Value = limit });
        await using var reader = await command.ExecuteReaderAsync(ct);
        var runs = new List<PayoutRun>();
        while (await reader.ReadAsync(ct))
        {
            runs.Add(PayoutRun.Read(reader));
        }

        return runs;
    }

    /// <summary>
    /// Looks at the next merchants of a run and pays those that are due. Null when the run is complete, or when another instance is at work on it.
    /// </summary>
    internal async Task<PayoutRun?> CreateChunkAsync(PayoutRunId id, CancellationToken ct)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await TryCreateChunkAsync(id, ct);
            }
            catch (Exception e) when (attempt < 3 && DatabaseErrors.Advise(e) is RetryAdvice.Again)
            {
                // Another transaction was in the way and this one was rolled back whole: nothing of the chunk exists.
            }
        }
    }

    private async Task<PayoutRun?> TryCreateChunkAsync(PayoutRunId id, CancellationToken ct)
    {
        await using var connection = await _dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        if (await LockAsync(connection, transaction, id, ct) is not { Status: PayoutRunStatus.Creating } run)
        {
            return null;
        }

        var now = _time.GetUtcNow();
        var candidates = await PositionsAsync(connection, transaction, run, ct);
        var due = candidates.Where(c => PayoutRules.Decide(c.Position, run.Date, now).Pays).ToList();
        var calendar = BusinessCalendar.Of(run.Currency);
        var terms = new PayoutTerms(run.Id, run.Currency, run.Rail, PayoutMethod.Standard, run.Date, calendar.Add(run.ExecutionDate, 1));
        var written = await _writer.WriteAsync(connection, transaction, terms, due, position => PayoutRules.Decide(position, run.Date, now), now, ct);
        await RescheduleAsync(connection, transaction, run, candidates, written.Refused, calendar, now, ct);

        var last = candidates.Count < _options.ChunkSize;
        run = run with
        {
            Cursor = candidates.Count == 0 ? run.Cursor : candidates[^1].Merchant.Value,
            Status = last ? PayoutRunStatus.Created : PayoutRunStatus.Creating,
        };
        await using var advance = new NpgsqlCommand(PayoutSql.AdvanceRun, connection, transaction)
        {
            Parameters =
            {
                new() { Value = run.Id.Value },
                new() { Value = run.Cursor },
                new() { Value = (long)candidates.Count },
                new() { Value = (long)written.Payouts.Count },
                new() { Value = written.Payouts.Sum(p => p.Amount.MinorUnits) },
                new() { Value = (long)written.Refused.Count },
                new() { Value = last },
                new() { Value = _time.GetUtcNow() },
            },
        };
        await advance.ExecuteNonQueryAsync(ct);
        await transaction.CommitAsync(ct);
        _signal.Set();
        foreach (var (merchant, reason) in written.Refused)
        {
            PayoutLog.Refused(_logger, merchant, run.Date, run.Currency.Code, reason);
        }

        return run;
    }

    internal async Task<PayoutRun> StartAsync(DateOnly date, Currency currency, string startedBy, CancellationToken ct)
    {
        var now = _time.GetUtcNow();
        await using var command = _dataSource.CreateCommand(PayoutSql.StartRun);
        command.Parameters.Add(new() { Value = Guid.CreateVersion7(now) });
        command.Parameters.Add(new() { Value = date });
        command.Parameters.Add(new() { Value = currency.Code });
        command.Parameters.Add(new() { Value = DbText.Of(_options.RailOf(currency)) });
        command.Parameters.Add(new() { Value = PayoutRunClock.ExecutionDate(now, currency) });
        command.Parameters.Add(new() { Value = startedBy });
        command.Parameters.Add(new() { Value = now });
        await command.ExecuteNonQueryAsync(ct);
        return await GetAsync(date, currency, ct) ?? throw new InvalidOperationException($"The run of {date:O} {currency} was not kept.");
    }

    private static async Task<PayoutRun?> LockAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, PayoutRunId id, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(PayoutSql.LockRun, connection, transaction) { Parameters = { new() { Value = id.Value } } };
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await reader.ReadAsync(ct) ? PayoutRun.Read(reader) : null;
    }

    private async Task<List<PayoutCandidate>> PositionsAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, PayoutRun run, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(PayoutSql.Positions, connection, transaction)
        {
            Parameters = { new() { Value = run.Currency.Code }, new() { Value = run.Cursor }, new() { Value = _options.ChunkSize } },
        };
        await using var reader = await command.ExecuteReaderAsync(ct);
        var candidates = new List<PayoutCandidate>(_options.ChunkSize);
        while (await reader.ReadAsync(ct))
        {
            candidates.Add(PayoutCandidate.Read(reader, run.Currency));
        }

        return candidates;
    }

    // A date that has come is used up where it paid or rolled over: the rest waits for the schedule's next date. Where somebody has to act first
    // (a hold, an account to be verified), it stays due, so that the payout comes as soon as they have.
    private static async Task RescheduleAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, PayoutRun run, List<PayoutCandidate> candidates, IReadOnlyList<(MerchantId Merchant, string Reason)> refused, BusinessCalendar calendar, DateTimeOffset now, CancellationToken ct)
    {
        var due = candidates
            .Where(c => c.Position.DueOn <= run.Date && PayoutRules.Decide(c.Position, run.Date, now).UsesUpTheDate && refused.All(r => r.Merchant != c.Merchant))
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

    private async Task<IReadOnlyList<(DateOnly Date, Currency Currency)>> OpenRunsAsync(CancellationToken ct)
    {
        await using var command = _dataSource.CreateCommand(PayoutSql.OpenRuns);
        await using var reader = await command.ExecuteReaderAsync(ct);
        var runs = new List<(DateOnly, Currency)>();
        while (await reader.ReadAsync(ct))
        {
            runs.Add((reader.GetFieldValue<DateOnly>(0), Currency.Of(reader.GetString(1))));
        }

        return runs;
    }

    private async Task<IReadOnlyList<Currency>> CurrenciesAsync(CancellationToken ct)
    {
        await using var command = _dataSource.CreateCommand(PayoutSql.Currencies);
        command.Parameters.Add(new() { Value = Currency.All.Select(c => c.Code).ToArray() });
        await using var reader = await command.ExecuteReaderAsync(ct);
        var currencies = new List<Currency>();
        while (await reader.ReadAsync(ct))
        {
            currencies.Add(Currency.Of(reader.GetString(0)));
        }

        return currencies;
    }
}
