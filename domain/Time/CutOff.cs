namespace Payments.Domain;

/// <summary>
/// The end of a banking day: a wall-clock time in the payment system's time zone. Daylight saving moves it by an hour in UTC, so that it
/// stays the same for people.
/// </summary>
/// <param name="Zone">An IANA name such as <c>Europe/Berlin</c>.</param>
/// <param name="Time">From this time on, the next banking day begins. Midnight means that the banking day is the calendar day.</param>
public sealed record CutOff(TimeZoneInfo Zone, TimeOnly Time)
{
    /// <summary>TARGET uses the time of Frankfurt, Fedwire and ACH the time of New York. All other currencies use UTC.</summary>
    public static CutOff Of(Currency currency) => currency.Code switch
    {
        "EUR" => Target,
        "USD" => FederalReserve,
        _ => Utc,
    };

    private static CutOff Target { get; } = new(TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin"), TimeOnly.MinValue);

    private static CutOff FederalReserve { get; } = new(TimeZoneInfo.FindSystemTimeZoneById("America/New_York"), TimeOnly.MinValue);

    private static CutOff Utc { get; } = new(TimeZoneInfo.Utc, TimeOnly.MinValue);

    /// <summary>The calendar date in the zone at an instant.</summary>
    public DateOnly LocalDate(DateTimeOffset instant) => DateOnly.FromDateTime(TimeZoneInfo.ConvertTime(instant, Zone).DateTime);

    /// <summary>
    /// The banking date of an instant: the date in the zone, or the next date from the cut-off on. The conversion to wall-clock time is
    /// unambiguous. In the hour that daylight saving repeats, both passes have the same time, so both are on the same side of the cut-off.
    /// </summary>
    public DateOnly BankingDate(DateTimeOffset instant)
    {
        var local = TimeZoneInfo.ConvertTime(instant, Zone).DateTime;
        var date = DateOnly.FromDateTime(local);
        return Time != TimeOnly.MinValue && TimeOnly.FromDateTime(local) >= Time ? date.AddDays(1) : date;
    }

    /// <summary>
    /// The instant at which the banking day of a date ends. A wall-clock time that daylight saving skips means the moment of the change. A
    /// time that it repeats means the first pass.
    /// </summary>
    public DateTimeOffset EndOf(DateOnly date)
    {
        var wall = Time == TimeOnly.MinValue ? date.AddDays(1).ToDateTime(TimeOnly.MinValue) : date.ToDateTime(Time);
        if (Zone.IsInvalidTime(wall))
        {
            while (Zone.IsInvalidTime(wall))
            {
                wall = wall.AddMinutes(1);
            }
        }

        var offset = Zone.IsAmbiguousTime(wall) ? Zone.GetAmbiguousTimeOffsets(wall).Max() : Zone.GetUtcOffset(wall);
        return new DateTimeOffset(wall, offset);
    }
}

/// <summary>The dates of payouts.</summary>
public static class Availability
{
    /// <summary>
    /// The date from which money captured at an instant can be paid out. It is the banking date of the capture plus the delay in business
    /// days of the currency's calendar. With a delay of 0 it is the banking date itself, even on a weekend.
    /// </summary>
    public static DateOnly AvailableOn(DateTimeOffset capturedAt, Currency currency, int delayBusinessDays) =>
        AvailableOn(capturedAt, BusinessCalendar.Of(currency), CutOff.Of(currency), delayBusinessDays);

    public static DateOnly AvailableOn(DateTimeOffset capturedAt, BusinessCalendar calendar, CutOff cutOff, int delayBusinessDays) =>
        calendar.Add(cutOff.BankingDate(capturedAt), delayBusinessDays);

    /// <summary>
    /// The date whose funds are due at an instant, in the time zone of the currency's payment system. Earlier dates are due as well, so the
    /// next night makes up for a missed one.
    /// </summary>
    public static DateOnly DueDate(DateTimeOffset now, Currency currency) => CutOff.Of(currency).LocalDate(now);
}
