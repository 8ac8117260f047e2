using System.Globalization;
using NCrontab;

namespace FunctionsHost.Timers;

/// <summary>When a timer is due: NCRONTAB of five fields, or six with seconds first, or a time span between runs.</summary>
internal sealed class TimerSchedule
{
    private readonly CrontabSchedule? _crontab;
    private readonly TimeSpan _interval;

    private TimerSchedule(CrontabSchedule crontab) => _crontab = crontab;

    private TimerSchedule(TimeSpan interval) => _interval = interval;

    /// <exception cref="InvalidOperationException">The text is neither.</exception>
    public static TimerSchedule Parse(string text, string function)
    {
        var fields = text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length;
        if (fields is 5 or 6
            && CrontabSchedule.TryParse(text, new CrontabSchedule.ParseOptions { IncludingSeconds = fields == 6 }) is { } crontab)
            return new TimerSchedule(crontab);
        if (fields == 1 && TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var interval) && interval > TimeSpan.Zero)
            return new TimerSchedule(interval);
        throw new InvalidOperationException($"Function '{function}': '{text}' is no schedule (NCRONTAB of 5 or 6 fields, or hh:mm:ss).");
    }

    /// <summary>The first occurrence after a moment, in UTC.</summary>
    public DateTime Next(DateTime after) => _crontab is null
        ? after + _interval
        : DateTime.SpecifyKind(_crontab.GetNextOccurrence(after), DateTimeKind.Utc);

    /// <summary>Below a minute the schedule is not worth persisting: it would be written more often than it runs.</summary>
    public bool IsBelowAMinute(DateTime now)
    {
        if (_crontab is null)
            return _interval < TimeSpan.FromMinutes(1);
        var first = Next(now);
        return Next(first) - first < TimeSpan.FromMinutes(1);
    }
}
