namespace Payments.Domain;

/// <summary>The days on which a payment system settles. Holidays are computed, so no year is missing.</summary>
public sealed class BusinessCalendar
{
    private readonly Func<DateOnly, bool> _isHoliday;

    private BusinessCalendar(string name, Func<DateOnly, bool> isHoliday)
    {
        Name = name;
        _isHoliday = isHoliday;
    }

    /// <summary>
    /// TARGET, the Eurosystem's calendar: closed on weekends, 1 January, Good Friday, Easter Monday, 1 May, 25 and 26 December
    /// (the ECB's long-term calendar of TARGET closing days).
    /// </summary>
    public static BusinessCalendar Target { get; } = new("TARGET", IsTargetHoliday);

    /// <summary>
    /// The Federal Reserve Banks: the eleven federal holidays. A holiday on a Sunday is observed on Monday, and a holiday on a Saturday is
    /// not observed (the Federal Reserve's holiday schedule).
    /// </summary>
    public static BusinessCalendar FederalReserve { get; } = new("US Federal Reserve", IsFederalReserveHoliday);

    /// <summary>Monday to Friday, for currencies whose payment system has no calendar here.</summary>
    public static BusinessCalendar Weekdays { get; } = new("weekdays", _ => false);

    /// <summary>A calendar with the given closing days.</summary>
    internal static BusinessCalendar WithHolidays(string name, Func<DateOnly, bool> isHoliday) => new(name, isHoliday);

    public string Name { get; }

    /// <summary>The calendar of the payment system that settles the currency.</summary>
    public static BusinessCalendar Of(Currency currency) => currency.Code switch
    {
        "EUR" => Target,
        "USD" => FederalReserve,
        _ => Weekdays,
    };

    public bool IsBusinessDay(DateOnly date) =>
        date.DayOfWeek is not (DayOfWeek.Saturday or DayOfWeek.Sunday) && !_isHoliday(date);

    /// <summary>The date itself if it is a business day, else the next one.</summary>
    public DateOnly OnOrAfter(DateOnly date)
    {
        while (!IsBusinessDay(date))
        {
            date = date.AddDays(1);
        }

        return date;
    }

    /// <summary>The n-th business day after the date. For 0 the date itself, even if it is not a business day.</summary>
    public DateOnly Add(DateOnly date, int businessDays)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(businessDays);
        for (var left = businessDays; left > 0; left--)
        {
            date = OnOrAfter(date.AddDays(1));
        }

        return date;
    }

    public override string ToString() => Name;

    /// <summary>Easter Sunday of a Gregorian year (the algorithm of Meeus, Jones and Butcher).</summary>
    internal static DateOnly Easter(int year)
    {
        var a = year % 19;
        var (b, c) = Math.DivRem(year, 100);
        var (d, e) = Math.DivRem(b, 4);
        var f = (b + 8) / 25;
        var g = (b - f + 1) / 3;
        var h = ((19 * a) + b - d - g + 15) % 30;
        var (i, k) = Math.DivRem(c, 4);
        var l = (32 + (2 * e) + (2 * i) - h - k) % 7;
        var m = (a + (11 * h) + (22 * l)) / 451;
        var (month, day) = Math.DivRem(h + l - (7 * m) + 114, 31);
        return new DateOnly(year, month, day + 1);
    }

    private static bool IsTargetHoliday(DateOnly date) => (date.Month, date.Day) switch
    {
        (1, 1) or (5, 1) or (12, 25) or (12, 26) => true,
        (3 or 4, _) => (date.DayNumber - Easter(date.Year).DayNumber) is -2 or 1,
        _ => false,
    };

    private static bool IsFederalReserveHoliday(DateOnly date)
    {
        var nth = (date.Day + 6) / 7;
        return (date.Month, date.DayOfWeek) switch
        {
            (1, DayOfWeek.Monday) when nth == 3 => true,
            (2, DayOfWeek.Monday) when nth == 3 => true,
            (5, DayOfWeek.Monday) when date.AddDays(7).Month == 6 => true,
            (9, DayOfWeek.Monday) when nth == 1 => true,
            (10, DayOfWeek.Monday) when nth == 2 => true,
            (11, DayOfWeek.Thursday) when nth == 4 => true,
            (_, DayOfWeek.Monday) => IsFixedFederalHoliday(date) || IsFixedFederalHoliday(date.AddDays(-1)),
            _ => IsFixedFederalHoliday(date),
        };
    }

    // Juneteenth became a federal holiday in 2021. The Reserve Banks have observed it since 2022.
    private static bool IsFixedFederalHoliday(DateOnly date) => (date.Month, date.Day) switch
    {
        (1, 1) or (7, 4) or (11, 11) or (12, 25) => true,
        (6, 19) => date.Year >= 2022,
        _ => false,
    };
}
