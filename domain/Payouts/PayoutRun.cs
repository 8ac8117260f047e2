using Npgsql;
using Payments.Domain.Database;

namespace Payments.Domain.Payouts;

public enum PayoutRunStatus
{
    /// <summary>The run is still looking at merchants.</summary>
    Creating,

    /// <summary>Every payout exists. Files may still have to be written.</summary>
    Created,

    /// <summary>Everything is with the bank, or queued for it.</summary>
    Submitted,
}

/// <summary>One night of one currency, live or test. There is one run for each date, however often it is started.</summary>
/// <param name="Considered">How many merchants the run looked at.</param>
/// <param name="Amount">The sum of its payouts, in minor units.</param>
/// <param name="Refused">How many merchants have a payout that the ledger refused.</param>
public sealed record PayoutRun(
    PayoutRunId Id,
    Mode Mode,
    DateOnly Date,
    Currency Currency,
    PayoutRail Rail,
    PayoutRunStatus Status,
    DateOnly ExecutionDate,
    long Considered,
    long Payouts,
    long Amount,
    long Refused,
    string StartedBy,
    DateTimeOffset StartedAt,
    DateTimeOffset? CreatedAt,
    DateTimeOffset? SubmittedAt)
{
    internal static PayoutRun Read(NpgsqlDataReader row) => new(
        new PayoutRunId(row.GetGuid(0)),
        DbText.Parse<Mode>(row.GetString(14)),
        row.GetFieldValue<DateOnly>(1),
        Currency.Of(row.GetString(2)),
        DbText.Parse<PayoutRail>(row.GetString(3)),
        DbText.Parse<PayoutRunStatus>(row.GetString(4)),
        row.GetFieldValue<DateOnly>(5),
        row.GetInt64(6),
        row.GetInt64(7),
        row.GetInt64(8),
        row.GetInt64(9),
        row.GetString(10),
        row.GetFieldValue<DateTimeOffset>(11),
        row.IsDBNull(12) ? null : row.GetFieldValue<DateTimeOffset>(12),
        row.IsDBNull(13) ? null : row.GetFieldValue<DateTimeOffset>(13));
}

/// <param name="Date">YYYY-MM-DD. The default is today in the currency's zone.</param>
/// <param name="Mode">Whether accounts of <c>live</c> (the default) or <c>test</c> are paid.</param>
public sealed record StartPayoutRunRequest(string? Currency, string? Date, string? Mode);

/// <summary>The date of a run and the instant at which it looks at merchants. Everything due by that instant is released first.</summary>
public readonly record struct PayoutRunMoment(DateOnly Date, DateTimeOffset At);

/// <summary>When runs are due, and when the bank pays what they send.</summary>
public static class PayoutRunClock
{
    /// <summary>
    /// The date whose run should have started by now: today in the currency's zone, if it is a business day and the wall clock there is
    /// past <paramref name="startAt"/>. Otherwise null. A date that passed without a run gets none later: the next run pays everything that
    /// is due.
    /// </summary>
    public static DateOnly? DueDate(DateTimeOffset now, Currency currency, TimeOnly startAt)
    {
        var date = CutOff.Of(currency).LocalDate(now);
        return BusinessCalendar.Of(currency).IsBusinessDay(date) && now >= StartOf(date, currency, startAt) ? date : null;
    }

    /// <summary>
    /// The run of the first business day from <paramref name="earliest"/> on, and the instant at which it looks. That is now if the run
    /// should have started already.
    /// </summary>
    public static PayoutRunMoment NextFrom(DateOnly earliest, DateTimeOffset now, Currency currency, TimeOnly startAt) =>
        At(BusinessCalendar.Of(currency).OnOrAfter(earliest), now, currency, startAt);

    /// <summary>The run of a date, even of a past date or one that is no business day, and the instant at which it looks.</summary>
    public static PayoutRunMoment At(DateOnly date, DateTimeOffset now, Currency currency, TimeOnly startAt)
    {
        // An operator can start today's run before the timer does, so the start time counts only for later dates.
        if (date <= CutOff.Of(currency).LocalDate(now))
        {
            return new PayoutRunMoment(date, now);
        }

        var start = StartOf(date, currency, startAt);
        return new PayoutRunMoment(date, start > now ? start : now);
    }

    private static DateTimeOffset StartOf(DateOnly date, Currency currency, TimeOnly startAt)
    {
        var zone = CutOff.Of(currency).Zone;
        var start = startAt == TimeOnly.MinValue ? new CutOff(zone, TimeOnly.MinValue).EndOf(date.AddDays(-1))
            : new CutOff(zone, startAt).EndOf(date);
        return start.ToUniversalTime();
    }

    /// <summary>
    /// The day on which the bank executes a file that it gets now. SEPA banks execute it on the same business day until the afternoon. ACH
    /// banks execute it on the next banking day (Nacha's standard settlement for credits).
    /// </summary>
    public static DateOnly ExecutionDate(DateTimeOffset now, Currency currency)
    {
        var calendar = BusinessCalendar.Of(currency);
        var taken = calendar.OnOrAfter(new CutOff(CutOff.Of(currency).Zone, BankCutOff).BankingDate(now));
        return currency == Currency.Usd ? calendar.Add(taken, 1) : taken;
    }

    private static readonly TimeOnly BankCutOff = new(15, 0);
}
