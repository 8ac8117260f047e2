namespace Payments.Domain.Payouts;

public enum PayoutInterval
{
    Daily,
    Weekly,
    Monthly,
    Manual,
}

/// <summary>How often a merchant is paid in one currency.</summary>
/// <param name="Weekday">The day of a weekly schedule, else null.</param>
/// <param name="MonthDay">The day of a monthly schedule, 1 to 31, else null. In a shorter month it is the month's last day.</param>
public readonly record struct PayoutSchedule(PayoutInterval Interval, DayOfWeek? Weekday = null, int? MonthDay = null)
{
    public static PayoutSchedule Daily { get; } = new(PayoutInterval.Daily);

    public static PayoutSchedule Manual { get; } = new(PayoutInterval.Manual);

    public bool IsValid => Interval switch
    {
        PayoutInterval.Daily or PayoutInterval.Manual => Weekday is null && MonthDay is null,
        PayoutInterval.Weekly => Weekday is not null && MonthDay is null,
        PayoutInterval.Monthly => Weekday is null && MonthDay is >= 1 and <= 31,
    };

    /// <summary>
    /// The first date after <paramref name="after"/> on which a payout is due. It is the schedule's day, or the next business day if that
    /// day is none. Null for a manual schedule.
    /// </summary>
    public DateOnly? NextAfter(DateOnly after, BusinessCalendar calendar)
    {
        switch (Interval)
        {
            case PayoutInterval.Manual:
                return null;
            case PayoutInterval.Daily:
                return calendar.OnOrAfter(after.AddDays(1));
            case PayoutInterval.Weekly:
                // A holiday can push last week's day past `after`, so the search begins a week back.
                for (var day = after.AddDays(-7); ; day = day.AddDays(1))
                {
                    if (day.DayOfWeek == Weekday && calendar.OnOrAfter(day) is var due && due > after)
                    {
                        return due;
                    }
                }

            case PayoutInterval.Monthly:
                for (var month = new DateOnly(after.Year, after.Month, 1).AddMonths(-1); ; month = month.AddMonths(1))
                {
                    var day = Math.Min(MonthDay!.Value, DateTime.DaysInMonth(month.Year, month.Month));
                    if (calendar.OnOrAfter(new DateOnly(month.Year, month.Month, day)) is var due && due > after)
                    {
                        return due;
                    }
                }

            default:
                throw new InvalidOperationException($"{Interval} is not a payout interval.");
        }
    }
}
