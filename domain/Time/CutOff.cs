namespace Payments.Domain;

/// <summary>
/// When a banking day ends: a wall-clock time in the payment system's own zone. Wall-clock time follows the zone's daylight saving, so the
/// cut-off stands still for people and moves by an hour in UTC.
/// </summary>
/// <param name="Zone">An IANA name such as <c>Europe/Berlin</c>.</param>
/// <param name="Time">From this time on, what happens belongs to the next day. Midnight means the whole day belongs to it.</param>
public sealed record CutOff(TimeZoneInfo Zone, TimeOnly Time)
{
    /// <summary>TARGET keeps the time of Frankfurt, Fedwire and ACH that of New York; everything else counts in UTC.</summary>
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
    /// The date that an instant counts for: the zone's date, or the next from the cut-off on. Converting an instant to wall-clock time is
    /// unambiguous; in the hour that daylight saving repeats, both passes read the same time and so fall on the same side.
    /// </summary>
    public DateOnly BankingDate(DateTimeOffset instant)
    {
        var local = TimeZoneInfo.ConvertTime(instant, Zone).DateTime;
        var date = DateOnly.FromDateTime(local);
        return Time != TimeOnly.MinValue && TimeOnly.FromDateTime(local) >= Time ? date.AddDays(1) : date;
    }

    /// <summary>
    /// The instant at which the banking day of a date ends. A wall-clock time that daylight saving skips counts as the moment of the
    /// change, one that it repeats as its first pass.
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

/// <summary>When captured money may be paid out.</summary>
public static class Availability
{
    /// <summary>
    /// The date from which money captured at an instant can be paid out: the delay in business days of the currency's calendar after the
    /// banking date of the capture. A delay of 0 makes it available on the date itself, also on a weekend.
    /// </summary>
    public static DateOnly AvailableOn(DateTimeOffset capturedAt, Currency currency, int delayBusinessDays) =>
        AvailableOn(capturedAt, BusinessCalendar.Of(currency), CutOff.Of(currency), delayBusinessDays);

    public static DateOnly AvailableOn(DateTimeOffset capturedAt, BusinessCalendar calendar, CutOff cutOff, int delayBusinessDays) =>
        calendar.Add(cutOff.BankingDate(capturedAt), delayBusinessDays);

    /// <summary>
    /// The date whose funds are due at an instant, in the zone of the currency's payment system. Whatever has an earlier date is due as well,
    /// so a night that was missed is made up for by the next.
    /// </summary>
    public static DateOnly DueDate(DateTimeOffset now, Currency currency) => CutOff.Of(currency).LocalDate(now);
}
