using FsCheck;
using FsCheck.Fluent;
using Payments.Domain.Payouts;

namespace Payments.Domain.Tests.Payouts;

public sealed class CalendarTests
{
    private static readonly Gen<DateOnly> Dates = Gen.Choose(new DateOnly(2001, 1, 1).DayNumber, new DateOnly(2120, 12, 31).DayNumber).Select(DateOnly.FromDayNumber);

    private static readonly Gen<BusinessCalendar> Calendars = Gen.Elements(BusinessCalendar.Target, BusinessCalendar.FederalReserve, BusinessCalendar.Weekdays);

    private static readonly Gen<PayoutSchedule> Schedules = Gen.OneOf(
        Gen.Constant(PayoutSchedule.Daily),
        Gen.Choose(0, 6).Select(d => new PayoutSchedule(PayoutInterval.Weekly, (DayOfWeek)d)),
        Gen.Choose(1, 31).Select(d => new PayoutSchedule(PayoutInterval.Monthly, MonthDay: d)));

    // Easter Sundays as almanacs print them.
    [Theory]
    [InlineData(1999, 4, 4)]
    [InlineData(2000, 4, 23)]
    [InlineData(2008, 3, 23)]
    [InlineData(2024, 3, 31)]
    [InlineData(2025, 4, 20)]
    [InlineData(2026, 4, 5)]
    [InlineData(2027, 3, 28)]
    [InlineData(2033, 4, 17)]
    [InlineData(2038, 4, 25)]
    [InlineData(2049, 4, 18)]
    [InlineData(2052, 4, 21)]
    [InlineData(2071, 4, 19)]
    [InlineData(2076, 4, 19)]
    [InlineData(2106, 4, 18)]
    [InlineData(2285, 3, 22)]
    public void Easter_Year_IsTheAlmanacs(int year, int month, int day) => Assert.Equal(new DateOnly(year, month, day), BusinessCalendar.Easter(year));

    [Theory]
    [InlineData("2026-01-01 2026-04-03 2026-04-06 2026-05-01 2026-12-25")]
    [InlineData("2027-01-01 2027-03-26 2027-03-29")]
    [InlineData("2029-01-01 2029-03-30 2029-04-02 2029-05-01 2029-12-25 2029-12-26")]
    public void IsBusinessDay_TargetYear_ClosesOnTheEcbsDays(string closed) => AssertClosed(BusinessCalendar.Target, closed);

    // The Federal Reserve's published schedules. Independence Day 2026 and Christmas 2027 fall on a Saturday and are not observed.
    [Theory]
    [InlineData("2024-01-01 2024-01-15 2024-02-19 2024-05-27 2024-06-19 2024-07-04 2024-09-02 2024-10-14 2024-11-11 2024-11-28 2024-12-25")]
    [InlineData("2026-01-01 2026-01-19 2026-02-16 2026-05-25 2026-06-19 2026-09-07 2026-10-12 2026-11-11 2026-11-26 2026-12-25")]
    [InlineData("2027-01-01 2027-01-18 2027-02-15 2027-05-31 2027-07-05 2027-09-06 2027-10-11 2027-11-11 2027-11-25")]
    [InlineData("2023-01-02 2023-01-16 2023-02-20 2023-05-29 2023-06-19 2023-07-04 2023-09-04 2023-10-09 2023-11-23 2023-12-25")]
    public void IsBusinessDay_FederalReserveYear_ClosesOnThePublishedDays(string closed) => AssertClosed(BusinessCalendar.FederalReserve, closed);

    // Juneteenth is kept since 2022. On a Sunday it moves to Monday (2022, 2033), on a Saturday it is not observed (2021, 2027).
    [Theory]
    [InlineData("2020-06-19", true)]
    [InlineData("2021-06-18", true)]
    [InlineData("2021-06-21", true)]
    [InlineData("2022-06-17", true)]
    [InlineData("2022-06-20", false)]
    [InlineData("2023-06-19", false)]
    [InlineData("2023-06-20", true)]
    [InlineData("2027-06-18", true)]
    [InlineData("2027-06-21", true)]
    [InlineData("2028-06-19", false)]
    [InlineData("2033-06-17", true)]
    [InlineData("2033-06-20", false)]
    public void IsBusinessDay_Juneteenth_IsKeptSince2022(string date, bool open) =>
        Assert.Equal(open, BusinessCalendar.FederalReserve.IsBusinessDay(DateOnly.Parse(date, null)));

    [Fact]
    public void Easter_TwoCenturies_IsTheSundayThatLiliusTablesGive()
    {
        for (var year = 1900; year <= 2300; year++)
        {
            var easter = BusinessCalendar.Easter(year);
            Assert.Equal(ByLilius(year), easter);
            Assert.False(BusinessCalendar.Target.IsBusinessDay(easter.AddDays(-2))
                || BusinessCalendar.Target.IsBusinessDay(easter.AddDays(1)));
        }
    }

    // Golden number, century, corrections of the sun and the moon, epact, full moon, and the Sunday after it: the calendar reform's own
    // steps.
    private static DateOnly ByLilius(int year)
    {
        var (golden, century) = ((year % 19) + 1, (year / 100) + 1);
        var (sun, moon) = ((3 * century / 4) - 12, (((8 * century) + 5) / 25) - 5);
        var epact = ((11 * golden) + 20 + moon - sun) % 30;
        epact += epact == 24 || (epact == 25 && golden > 11) ? 1 : 0;
        var fullMoon = 44 - epact;
        fullMoon += fullMoon < 21 ? 30 : 0;
        var sunday = fullMoon + 7 - (((5 * year / 4) - sun - 10 + fullMoon) % 7);
        return new DateOnly(year, 3, 1).AddDays(sunday - 1);
    }

    [Fact]
    public void Add_BusinessDays_CountsExactlyThem()
    {
        var cases = from calendar in Calendars from date in Dates from days in Gen.Choose(0, 30) select (calendar, date, days);
        Prop.ForAll(cases.ToArbitrary(), c =>
        {
            var end = c.calendar.Add(c.date, c.days);
            var counted = Enumerable.Range(c.date.DayNumber + 1, end.DayNumber - c.date.DayNumber).Count(d => c.calendar.IsBusinessDay(DateOnly.FromDayNumber(d)));
            return counted == c.days && (c.days == 0 ? end == c.date : c.calendar.IsBusinessDay(end));
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void NextAfter_Schedule_IsALaterBusinessDayAndTheFirstOne()
    {
        var cases = from calendar in Calendars from date in Dates from schedule in Schedules from back in Gen.Choose(0, 20) select (calendar, date, schedule, back);
        Prop.ForAll(cases.ToArbitrary(), c =>
        {
            var next = c.schedule.NextAfter(c.date, c.calendar)!.Value;
            // From any day between, the same date is next: so whenever the run looks, nothing is skipped and nothing comes twice.
            var between = c.date.AddDays(Math.Min(c.back, next.DayNumber - c.date.DayNumber - 1));
            return next > c.date && c.calendar.IsBusinessDay(next) && c.schedule.NextAfter(between, c.calendar) == next;
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void NextAfter_Year_HasOnePayoutForEachWeekOrMonth()
    {
        var cases = from calendar in Calendars from year in Gen.Choose(2002, 2100) from schedule in Schedules select (calendar, year, schedule);
        Prop.ForAll(cases.ToArbitrary(), c =>
        {
            var count = 0;
            var end = new DateOnly(c.year, 12, 31);
            for (var date = c.schedule.NextAfter(new DateOnly(c.year - 1, 12, 31), c.calendar); date <= end; date = c.schedule.NextAfter(date.Value, c.calendar))
            {
                count++;
            }

            return c.schedule.Interval switch
            {
                PayoutInterval.Weekly => count is >= 51 and <= 53,
                PayoutInterval.Monthly => count is >= 11 and <= 13,
                PayoutInterval.Daily or PayoutInterval.Manual => count is >= 248 and <= 262,
            };
        }).QuickCheckThrowOnFailure();
    }

    /// <summary>
    /// Ten calendars with closing days at random, among them closures of a week and more, and a timer that sleeps through nights: however late it looks,
    /// each date of the schedule is paid once, none before its day.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(10)]
    public void NextAfter_RandomCalendarAndMissedNights_UsesUpEachDateOnce(int seed)
    {
        var random = new Random(seed);
        var start = new DateOnly(2026, 1, 1);
        var closed = new HashSet<DateOnly>();
        for (var i = 0; i < 60; i++)
        {
            var from = start.AddDays(random.Next(3 * 366));
            closed.UnionWith(Enumerable.Range(0, random.Next(1, i % 20 == 0 ? 12 : 3)).Select(from.AddDays));
        }

        var calendar = BusinessCalendar.WithHolidays($"random {seed}", closed.Contains);
        PayoutSchedule[] schedules =
        [
            PayoutSchedule.Daily, new(PayoutInterval.Weekly, (DayOfWeek)random.Next(7)), new(PayoutInterval.Monthly, MonthDay: random.Next(1, 29)), new(PayoutInterval.Monthly, MonthDay: 31),
        ];
        foreach (var schedule in schedules)
        {
            var dates = new List<DateOnly>();
            for (var date = schedule.NextAfter(start, calendar)!.Value; date < start.AddDays(2 * 366); date = schedule.NextAfter(date, calendar)!.Value)
            {
                Assert.True(calendar.IsBusinessDay(date) && (dates.Count == 0 || date > dates[^1]), $"{schedule}: {date}");
                dates.Add(date);
            }

            // The dates are the schedule's own days, each moved to the next day that is open; days that fall together are one.
            var own = Enumerable.Range(-40, (2 * 366) + 40).Select(start.AddDays).Where(d => schedule.Interval switch
            {
                PayoutInterval.Daily => true,
                PayoutInterval.Weekly => d.DayOfWeek == schedule.Weekday,
                PayoutInterval.Monthly => d.Day == Math.Min(schedule.MonthDay!.Value, DateTime.DaysInMonth(d.Year, d.Month)),
                PayoutInterval.Manual => false,
            });
            Assert.Equal(own.Select(calendar.OnOrAfter).Where(d => d > start && d < start.AddDays(2 * 366)).Distinct().Order(), dates);

            // A run that looks at random days pays when something is due, and once for all that is.
            var (next, paid) = (dates[0], new List<DateOnly>());
            for (var night = start; night < start.AddDays(2 * 366); night = night.AddDays(random.Next(1, 9)))
            {
                if (calendar.IsBusinessDay(night) && next <= night)
                {
                    paid.Add(night);
                    Assert.Contains(dates, d => d <= night && (paid.Count == 1 || d > paid[^2]));
                    next = schedule.NextAfter(night, calendar)!.Value;
                }
            }

            Assert.Equal(paid.Distinct(), paid);
        }
    }

    /// <summary>A schedule has the day of its kind and no other: every combination of interval, weekday and month day.</summary>
    [Fact]
    public void IsValid_EveryCombination_TakesTheDayOfItsKindAlone()
    {
        int?[] monthDays = [null, int.MinValue, -1, 0, 1, 2, 15, 30, 31, 32, int.MaxValue];
        DayOfWeek?[] weekdays = [null, .. Enum.GetValues<DayOfWeek>().Select(d => (DayOfWeek?)d)];
        var valid = new List<PayoutSchedule>();
        foreach (var interval in Enum.GetValues<PayoutInterval>())
        {
            foreach (var weekday in weekdays)
            {
                valid.AddRange(monthDays.Select(day => new PayoutSchedule(interval, weekday, day)).Where(schedule => schedule.IsValid));
            }
        }

        var expected = new List<PayoutSchedule> { PayoutSchedule.Daily };
        expected.AddRange(Enum.GetValues<DayOfWeek>().Select(d => new PayoutSchedule(PayoutInterval.Weekly, d)));
        expected.AddRange(new[] { 1, 2, 15, 30, 31 }.Select(d => new PayoutSchedule(PayoutInterval.Monthly, MonthDay: d)));
        expected.Add(PayoutSchedule.Manual);
        Assert.Equal(expected, valid);
    }

    [Theory]
    [InlineData(31, "2026-02-03", "2026-03-02")] // 28 February 2026 is a Saturday
    [InlineData(31, "2026-03-02", "2026-03-31")]
    [InlineData(1, "2026-12-02", "2027-01-04")] // New Year's Day, then a weekend
    public void NextAfter_MonthDay_IsTheLastOfShortMonthsAndMovesPastHolidays(int day, string after, string expected) =>
        Assert.Equal(DateOnly.Parse(expected, null), new PayoutSchedule(PayoutInterval.Monthly, MonthDay: day).NextAfter(DateOnly.Parse(after, null), BusinessCalendar.Target));

    [Fact]
    public void NextAfter_Manual_IsNever() => Assert.Null(PayoutSchedule.Manual.NextAfter(new DateOnly(2026, 1, 1), BusinessCalendar.Target));

    [Theory]
    [InlineData("Europe/Berlin", "17:00", "2026-01-15T15:59:59Z", "2026-01-15")]
    [InlineData("Europe/Berlin", "17:00", "2026-01-15T16:00:00Z", "2026-01-16")]
    [InlineData("Europe/Berlin", "17:00", "2026-07-15T14:59:59Z", "2026-07-15")]
    [InlineData("Europe/Berlin", "17:00", "2026-07-15T15:00:00Z", "2026-07-16")]
    [InlineData("America/New_York", "00:00", "2026-01-15T04:59:59Z", "2026-01-14")]
    [InlineData("America/New_York", "00:00", "2026-01-15T05:00:00Z", "2026-01-15")]
    [InlineData("America/New_York", "00:00", "2026-07-15T03:59:59Z", "2026-07-14")]
    // The hour from 02:00 to 03:00 happens twice on 25 October 2026 in Berlin: both passes are past a cut-off of 02:30 from 02:30 on.
    [InlineData("Europe/Berlin", "02:30", "2026-10-25T00:29:00Z", "2026-10-25")]
    [InlineData("Europe/Berlin", "02:30", "2026-10-25T00:31:00Z", "2026-10-26")]
    [InlineData("Europe/Berlin", "02:30", "2026-10-25T01:31:00Z", "2026-10-26")]
    // It is skipped on 29 March 2026: the first instant after it is past the cut-off.
    [InlineData("Europe/Berlin", "02:30", "2026-03-29T00:59:59Z", "2026-03-29")]
    [InlineData("Europe/Berlin", "02:30", "2026-03-29T01:00:00Z", "2026-03-30")]
    public void BankingDate_Instant_FollowsTheZonesClock(string zone, string time, string instant, string expected)
    {
        var cutOff = new CutOff(TimeZoneInfo.FindSystemTimeZoneById(zone), TimeOnly.Parse(time, null));
        Assert.Equal(DateOnly.Parse(expected, null), cutOff.BankingDate(DateTimeOffset.Parse(instant, null)));
    }

    [Theory]
    // Skipped on 29 March 2026 in Berlin: the moment of the change. Repeated on 25 October: the first pass.
    [InlineData("Europe/Berlin", "02:30", "2026-03-29", "2026-03-29T01:00:00Z")]
    [InlineData("Europe/Berlin", "02:00", "2026-03-29", "2026-03-29T01:00:00Z")]
    [InlineData("Europe/Berlin", "03:00", "2026-03-29", "2026-03-29T01:00:00Z")]
    [InlineData("Europe/Berlin", "02:30", "2026-10-25", "2026-10-25T00:30:00Z")]
    [InlineData("Europe/Berlin", "02:30", "2026-10-26", "2026-10-26T01:30:00Z")]
    [InlineData("America/New_York", "02:30", "2026-03-08", "2026-03-08T07:00:00Z")]
    [InlineData("America/New_York", "01:30", "2026-11-01", "2026-11-01T05:30:00Z")]
    // Midnight ends the date itself, and is the start of the next.
    [InlineData("Europe/Berlin", "00:00", "2026-01-15", "2026-01-15T23:00:00Z")]
    [InlineData("Europe/Berlin", "00:00", "2026-07-15", "2026-07-15T22:00:00Z")]
    [InlineData("America/New_York", "00:00", "2026-10-31", "2026-11-01T04:00:00Z")]
    [InlineData("America/New_York", "00:00", "2026-11-01", "2026-11-02T05:00:00Z")]
    public void EndOf_Date_IsTheInstantOfTheZonesClock(string zone, string time, string date, string expected)
    {
        var end = new CutOff(TimeZoneInfo.FindSystemTimeZoneById(zone), TimeOnly.Parse(time, null)).EndOf(DateOnly.Parse(date, null));
        Assert.Equal(DateTimeOffset.Parse(expected, null), end);
    }

    /// <summary>A date is that of the currency's payment system, whatever the zone of the machine.</summary>
    [Theory]
    [InlineData("EUR", "2026-01-15T22:59:59Z", "2026-01-15")]
    [InlineData("EUR", "2026-01-15T23:00:00Z", "2026-01-16")]
    [InlineData("EUR", "2026-07-15T22:00:00Z", "2026-07-16")]
    [InlineData("USD", "2026-01-16T04:59:59Z", "2026-01-15")]
    [InlineData("USD", "2026-07-16T04:00:00Z", "2026-07-16")]
    [InlineData("USD", "2026-07-16T03:59:59Z", "2026-07-15")]
    [InlineData("GBP", "2026-07-15T23:59:59Z", "2026-07-15")]
    [InlineData("JPY", "2026-07-16T00:00:00Z", "2026-07-16")]
    public void DueDate_Instant_IsTheDateInTheCurrencysZone(string currency, string now, string expected) =>
        Assert.Equal(DateOnly.Parse(expected, null), Availability.DueDate(DateTimeOffset.Parse(now, null), Currency.Of(currency)));

    [Theory]
    // From 01:00 on in the zone: 00:00 UTC in winter, 23:00 UTC of the day before in summer.
    [InlineData("EUR", "01:00", "2026-01-15T23:59:59Z", null)]
    [InlineData("EUR", "01:00", "2026-01-16T00:00:00Z", "2026-01-16")]
    [InlineData("EUR", "01:00", "2026-07-15T22:59:59Z", null)]
    [InlineData("EUR", "01:00", "2026-07-15T23:00:00Z", "2026-07-16")]
    [InlineData("USD", "01:00", "2026-01-16T05:59:59Z", null)]
    [InlineData("USD", "01:00", "2026-01-16T06:00:00Z", "2026-01-16")]
    [InlineData("GBP", "01:00", "2026-07-16T00:59:59Z", null)]
    [InlineData("GBP", "01:00", "2026-07-16T01:00:00Z", "2026-07-16")]
    // Midnight is the start of the date itself.
    [InlineData("EUR", "00:00", "2026-01-15T23:00:00Z", "2026-01-16")]
    [InlineData("EUR", "00:00", "2026-01-16T22:59:59Z", "2026-01-16")]
    // A Saturday and a holiday have no run; the hour that is skipped moves nothing.
    [InlineData("EUR", "01:00", "2026-01-17T12:00:00Z", null)]
    [InlineData("USD", "01:00", "2026-11-26T12:00:00Z", null)]
    [InlineData("EUR", "01:00", "2026-11-26T12:00:00Z", "2026-11-26")]
    public void DueDate_Run_StartsOnTheZonesClock(string currency, string startAt, string now, string? expected) =>
        Assert.Equal(
            expected is null ? null : DateOnly.Parse(expected, null),
            PayoutRunClock.DueDate(DateTimeOffset.Parse(now, null), Currency.Of(currency), TimeOnly.Parse(startAt, null)));

    [Theory]
    [InlineData("EUR", "2026-01-16T13:59:59Z", "2026-01-16")] // Friday before 15:00 in Frankfurt
    [InlineData("EUR", "2026-01-16T14:00:00Z", "2026-01-19")]
    [InlineData("EUR", "2026-07-16T13:00:00Z", "2026-07-17")] // 15:00 in summer
    [InlineData("EUR", "2026-07-16T12:59:59Z", "2026-07-16")]
    [InlineData("EUR", "2026-12-24T14:00:00Z", "2026-12-28")]
    [InlineData("USD", "2026-01-15T19:59:59Z", "2026-01-16")] // before 15:00 in New York: the next banking day
    [InlineData("USD", "2026-01-15T20:00:00Z", "2026-01-20")] // taken on Friday; Monday is a holiday
    [InlineData("GBP", "2026-07-16T14:59:59Z", "2026-07-16")]
    [InlineData("GBP", "2026-07-16T15:00:00Z", "2026-07-17")]
    public void ExecutionDate_File_FollowsTheBanksCutOff(string currency, string now, string expected) =>
        Assert.Equal(DateOnly.Parse(expected, null), PayoutRunClock.ExecutionDate(DateTimeOffset.Parse(now, null), Currency.Of(currency)));

    [Theory]
    [InlineData("2026-11-20", "2026-11-20T09:00:00Z", "2026-11-20", "2026-11-20T09:00:00Z")] // has begun: it looks now
    [InlineData("2026-11-20", "2026-11-19T23:30:00Z", "2026-11-20", "2026-11-19T23:30:00Z")] // today before 01:00: an operator may start it
    [InlineData("2026-11-21", "2026-11-20T09:00:00Z", "2026-11-23", "2026-11-23T00:00:00Z")] // Saturday: Monday at 01:00
    [InlineData("2026-12-25", "2026-12-24T09:00:00Z", "2026-12-28", "2026-12-28T00:00:00Z")]
    public void NextFrom_Date_IsABusinessDayAndWhenItsRunLooks(string earliest, string now, string date, string at) =>
        Assert.Equal(
            new PayoutRunMoment(DateOnly.Parse(date, null), DateTimeOffset.Parse(at, null)),
            PayoutRunClock.NextFrom(DateOnly.Parse(earliest, null), DateTimeOffset.Parse(now, null), Currency.Eur, new TimeOnly(1, 0)));

    [Fact]
    public void EndOf_Date_DividesItFromTheNext()
    {
        var zones = new[] { "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Pacific/Apia" }.Select(TimeZoneInfo.FindSystemTimeZoneById).ToArray();
        var cases = from zone in Gen.Elements(zones) from minute in Gen.Choose(0, 1439) from date in Dates select (zone, minute, date);
        Prop.ForAll(cases.ToArbitrary(), c =>
        {
            var cutOff = new CutOff(c.zone, TimeOnly.MinValue.AddMinutes(c.minute));
            var end = cutOff.EndOf(c.date);
            return cutOff.BankingDate(end.AddTicks(-1)) <= c.date && cutOff.BankingDate(end) >= c.date.AddDays(1);
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData("2026-11-20T12:00:00Z", "EUR", 2, "2026-11-24")]
    [InlineData("2026-11-20T23:30:00Z", "EUR", 2, "2026-11-24")] // already Saturday in Frankfurt, which changes nothing here
    [InlineData("2026-12-23T12:00:00Z", "EUR", 2, "2026-12-28")]
    [InlineData("2026-11-25T12:00:00Z", "USD", 1, "2026-11-27")] // Thanksgiving between
    [InlineData("2026-11-21T12:00:00Z", "EUR", 0, "2026-11-21")] // at once, also on a Saturday
    [InlineData("2026-11-21T03:00:00Z", "USD", 0, "2026-11-20")] // still Friday in New York
    public void AvailableOn_Capture_CountsBusinessDaysOfTheCurrency(string captured, string currency, int delay, string expected) =>
        Assert.Equal(DateOnly.Parse(expected, null), Availability.AvailableOn(DateTimeOffset.Parse(captured, null), Currency.Of(currency), delay));

    private static void AssertClosed(BusinessCalendar calendar, string closed)
    {
        var expected = closed.Split(' ').Select(d => DateOnly.Parse(d, null)).ToList();
        var year = expected[0].Year;
        var actual = Enumerable.Range(0, DateTime.IsLeapYear(year) ? 366 : 365)
            .Select(d => new DateOnly(year, 1, 1).AddDays(d))
            .Where(d => d.DayOfWeek is not (DayOfWeek.Saturday or DayOfWeek.Sunday) && !calendar.IsBusinessDay(d));
        Assert.Equal(expected, actual);
    }
}
