using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;

namespace Payments.Domain.Payouts;

/// <summary>
/// Shows what a run would do, without doing it. A preview reads the terms and sums that the run reads, as of the instant at which the run
/// looks, and applies the same <see cref="PayoutRules"/>. Unless something changes in between, the run decides the same. Only a refusal by
/// the ledger cannot be foreseen.
/// </summary>
public sealed class PayoutPreviews(NpgsqlDataSource dataSource, PayoutsOptions options, TimeProvider time)
{
    private const int Chunk = 2_000;

    /// <summary>
    /// What the next run that concerns the merchant would pay it, or why it would pay nothing. With a date, what the run of that date would
    /// pay. A date whose run has already decided about the merchant is refused.
    /// </summary>
    public async Task<Result<PayoutPreviewResource>> PreviewAsync(MerchantId merchant, Currency currency, DateOnly? date,
        CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead, ct);
        var begun = await BegunRunsAsync(connection, currency, merchant.Mode, date ?? Availability.DueDate(now, currency), merchant, ct);
        if (date is { } asked && begun.Any(run => run.Date == asked && !run.Ahead))
        {
            return Refusal.Invalid("date", $"The run of {asked:yyyy-MM-dd} has already decided about this merchant.");
        }

        var moment = date is { } given ? PayoutRunClock.At(given, now, currency, options.RunAt) : Next(begun, now, currency);
        if (await FindAsync(connection, merchant, currency, moment, ct) is not { } found)
        {
            return Refusal.NotFound(merchant.ToString());
        }

        // A run before the date of a weekly or monthly schedule pays nothing, so preview the run of that date.
        if (date is null && found.Candidate.Position.DueOn > moment.Date)
        {
            moment = PayoutRunClock.NextFrom(found.Candidate.Position.DueOn.Value, now, currency, options.RunAt);
            found = (await FindAsync(connection, merchant, currency, moment, ct))!;
        }

        var decision = PayoutRules.Decide(found.Candidate.Position, moment.Date, moment.At);
        var later = await AvailableLaterAsync(connection, merchant, currency, moment, ct);
        return Resource(found, moment, decision, later);
    }

    /// <summary>
    /// What the next run of the currency would pay in total, and how many merchants it would leave unpaid for each reason. It reads every
    /// merchant of the currency.
    /// </summary>
    public async Task<PayoutRunPreviewResource> PreviewRunAsync(Currency currency, CancellationToken ct, Mode mode = Mode.Live)
    {
        var (moment, run) = await NextRunAsync(currency, mode, ct);
        var (considered, payouts, amount, reserved, carriedOver) = (0L, 0L, 0L, 0L, 0L);
        var unpaid = new SortedDictionary<PayoutRefusal, (long Merchants, long Available)>();
        var cursor = Guid.Empty;
        while (true)
        {
            var chunk = await FindNextAsync(currency, mode, moment, run, cursor, Chunk, ct);
            foreach (var found in chunk)
            {
                var decision = PayoutRules.Decide(found.Candidate.Position, moment.Date, moment.At);
                considered++;
                if (decision.Refusal is { } refusal)
                {
                    var so = unpaid.GetValueOrDefault(refusal);
                    unpaid[refusal] = (so.Merchants + 1, checked(so.Available + found.Candidate.Position.Available));
                    continue;
                }

                payouts++;
                (amount, reserved, carriedOver) = checked((amount + decision.Amount, reserved + decision.Reserved,
                    carriedOver + decision.CarriedOver));
            }

            if (chunk.Count < Chunk)
            {
                return new PayoutRunPreviewResource(
                    "payout_run_preview", currency.Code, moment.Date, moment.At, considered, payouts, amount, reserved, carriedOver,
                    [.. unpaid.Select(u => new UnpaidResource(DbText.Of(u.Key), u.Value.Merchants, u.Value.Available))]);
            }

            cursor = chunk[^1].Candidate.Merchant.Value;
        }
    }

    /// <summary>What the next run of the currency would decide about each merchant, in the order in which the run walks them.</summary>
    public async Task<IReadOnlyList<PayoutPreviewResource>> ListAsync(Currency currency, int limit, MerchantId? startingAfter,
        CancellationToken ct, Mode mode = Mode.Live)
    {
        var (moment, run) = await NextRunAsync(currency, mode, ct);
        return
        [
            .. (await FindNextAsync(currency, mode, moment, run, startingAfter?.Value ?? Guid.Empty, limit, ct))
                .Select(found => Resource(found, moment, PayoutRules.Decide(found.Candidate.Position, moment.Date, moment.At),
                    later: null)),
        ];
    }

    // An interrupted run is finished first. Otherwise the next run is today's, or a later one if today's has already begun.
    private PayoutRunMoment Next(IReadOnlyList<BegunRun> begun, DateTimeOffset now, Currency currency)
    {
        var today = Availability.DueDate(now, currency);
        return begun.FirstOrDefault(run => run.Ahead) is { } open ? PayoutRunClock.At(open.Date, now, currency, options.RunAt)
            : PayoutRunClock.NextFrom(begun.Any(run => run.Date == today) ? today.AddDays(1) : today, now, currency, options.RunAt);
    }

    private async Task<(PayoutRunMoment Moment, Guid? Run)> NextRunAsync(Currency currency, Mode mode, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        var begun = await BegunRunsAsync(connection, currency, mode, Availability.DueDate(now, currency), null, ct);
        return (Next(begun, now, currency), begun.FirstOrDefault(run => run.Ahead)?.Id);
    }

    private static async Task<List<BegunRun>> BegunRunsAsync(NpgsqlConnection connection, Currency currency, Mode mode, DateOnly date,
        MerchantId? merchant, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(PayoutSql.BegunRuns, connection)
        {
            Parameters =
            {
                new() { Value = currency.Code },
                new() { Value = date },
                new() { Value = (object?)merchant?.Value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Uuid },
                new() { Value = DbText.Of(mode) },
            },
        };
        var runs = new List<BegunRun>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            runs.Add(new BegunRun(reader.GetGuid(0), reader.GetFieldValue<DateOnly>(1), reader.GetBoolean(2)));
        }

        return runs;
    }

    private async Task<Found?> FindAsync(NpgsqlConnection connection, MerchantId merchant, Currency currency, PayoutRunMoment moment,
        CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(PayoutSql.Forecast, connection)
        {
            Parameters = { new() { Value = currency.Code }, new() { Value = merchant.Value },
                new() { Value = Availability.DueDate(moment.At, currency) } },
        };
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await reader.ReadAsync(ct) ? Found.Read(reader, currency, options) : null;
    }

    private async Task<List<Found>> FindNextAsync(Currency currency, Mode mode, PayoutRunMoment moment, Guid? run, Guid cursor, int limit,
        CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(PayoutSql.ForecastNext);
        command.Parameters.Add(new() { Value = currency.Code });
        command.Parameters.Add(new() { Value = cursor });
        command.Parameters.Add(new() { Value = Availability.DueDate(moment.At, currency) });
        command.Parameters.Add(new() { Value = limit });
        command.Parameters.Add(new() { Value = (object?)run ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Uuid });
        command.Parameters.Add(new() { Value = DbText.Of(mode) });
        var found = new List<Found>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            found.Add(Found.Read(reader, currency, options));
        }

        return found;
    }

    private static async Task<List<(DateOnly On, long Net, long Pending)>> AvailableLaterAsync(
        NpgsqlConnection connection, MerchantId merchant, Currency currency, PayoutRunMoment moment, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(PayoutSql.AvailableLater, connection)
        {
            Parameters = { new() { Value = merchant.Value }, new() { Value = currency.Code },
                new() { Value = Availability.DueDate(moment.At, currency) } },
        };
        var later = new List<(DateOnly, long, long)>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            later.Add((reader.GetFieldValue<DateOnly>(0), reader.GetInt64(1), reader.GetInt64(2)));
        }

        return later;
    }

    private static PayoutPreviewResource Resource(Found found, PayoutRunMoment moment, PayoutDecision decision,
        List<(DateOnly On, long Net, long Pending)>? later)
    {
        var position = found.Candidate.Position;
        return new PayoutPreviewResource(
            "payout_preview", found.Candidate.Merchant.ToString(), position.Currency.Code, moment.Date, position.Available,
                later?.Sum(l => l.Pending), decision.Amount, decision.Reserved,
            decision.CarriedOver, decision.Refusal is { } refusal ? DbText.Of(refusal) : null, found.HoldReason,
                position.UsableFrom > moment.At ? position.UsableFrom : null,
            NextAvailableOn(position.Available, later));
    }

    // The first date on which the pending money that is known now makes the balance positive.
    private static DateOnly? NextAvailableOn(long available, List<(DateOnly On, long Net, long Pending)>? later)
    {
        if (available > 0 || later is null)
        {
            return null;
        }

        foreach (var (on, net, _) in later)
        {
            available += net;
            if (available > 0)
            {
                return on;
            }
        }

        return null;
    }

    /// <param name="Ahead">Whether the run is creating payouts and, if a merchant is given, has not reached that merchant yet.</param>
    private sealed record BegunRun(Guid Id, DateOnly Date, bool Ahead);

    private sealed record Found(PayoutCandidate Candidate, string? HoldReason)
    {
        public static Found Read(NpgsqlDataReader row, Currency currency, PayoutsOptions options) =>
            new(PayoutCandidate.Read(row, currency, options), row.IsDBNull(row.FieldCount - 1) ? null : row.GetString(row.FieldCount - 1));
    }
}
