using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.DependencyInjection;
using Payments.SelfHost.Timers;

namespace Payments.SelfHost.Tests;

public sealed class TimerScheduleTests
{
    [Theory]
    [InlineData("0 30 2 * * *", "2026-03-29T02:30:00")]
    [InlineData("30 2 * * *", "2026-03-29T02:30:00")]
    [InlineData("*/10 * * * * *", "2026-03-29T00:00:10")]
    [InlineData("1.00:00:00", "2026-03-30T00:00:00")]
    [InlineData("00:00:30", "2026-03-29T00:00:30")]
    [InlineData("0 0 9 * * MON-FRI", "2026-03-30T09:00:00")]
    public void Next_OfAnySpelling_IsTheFirstOccurrenceAfterInUtc(string schedule, string expected)
    {
        var next = TimerSchedule.Parse(schedule, "F").Next(new DateTime(2026, 3, 29, 0, 0, 0, DateTimeKind.Utc));
        Assert.Equal(DateTime.Parse(expected, CultureInfo.InvariantCulture), next);
        Assert.Equal(DateTimeKind.Utc, next.Kind);
    }

    [Theory]
    [InlineData("")]
    [InlineData("often")]
    [InlineData("* * *")]
    [InlineData("0 61 * * * *")]
    [InlineData("-00:01:00")]
    public void Parse_Nonsense_IsRefusedByFunctionName(string schedule)
    {
        var e = Assert.Throws<InvalidOperationException>(() => TimerSchedule.Parse(schedule, "Nightly"));
        Assert.Contains("'Nightly'", e.Message, StringComparison.Ordinal);
    }
}

public sealed class TimerTriggerTests
{
    private readonly TestStorage _storage = TestStorage.Open();

    private Task<ProbeHost> StartAsync<T>(TimerSink sink, string schedule, TimeSpan ahead = default) => ProbeHost.StartAsync<T>(
        configure: builder => builder.Services.AddSingleton(sink),
        settings: new(_storage.Settings) { ["Schedule"] = schedule },
        time: new ShiftedTime(ahead));

    [Fact]
    public async Task Schedule_BelowAMinute_RunsAgainAndAgainUnmonitored()
    {
        var sink = new TimerSink();
        await using var host = await StartAsync<TimerProbe>(sink, "* * * * * *");
        await Poll.UntilAsync(() => sink.Runs.Count >= 2, "two runs");
        Assert.All(sink.Runs, run => Assert.Null(run.ScheduleStatus));
        Assert.All(sink.Runs, run => Assert.False(run.IsPastDue));
    }

    [Fact]
    public async Task Schedule_TimeSpan_Runs()
    {
        var sink = new TimerSink();
        await using var host = await StartAsync<TimerProbe>(sink, "00:00:00.200");
        await Poll.UntilAsync(() => sink.Runs.Count >= 2, "two runs");
    }

    [Fact]
    public async Task RunOnStartup_RunsAtOnceWithTheNextOccurrence()
    {
        var sink = new TimerSink();
        await using var host = await StartAsync<StartupTimerProbe>(sink, "0 0 0 1 1 *");
        await Poll.UntilAsync(() => !sink.Runs.IsEmpty, "a run");
        var run = sink.Runs.Single();
        Assert.False(run.IsPastDue);
        Assert.Equal(1, run.ScheduleStatus!.Next.DayOfYear);
    }

    [Fact]
    public async Task OccurrenceMissedWhileDown_IsMadeUpForOnceAsPastDue()
    {
        var sink = new TimerSink();
        await using (await StartAsync<TimerProbe>(sink, "0 0 0 1 1 *"))
        {
            var status = new Azure.Storage.Blobs.BlobClient(_storage.Connection, "azure-webjobs-hosts", $"timers/{_storage.Name}/Timer/status");
            await Poll.UntilAsync(async () => await status.ExistsAsync(), "the schedule is persisted");
        }
        Assert.Empty(sink.Runs);

        await using (await StartAsync<TimerProbe>(sink, "0 0 0 1 1 *", ahead: TimeSpan.FromDays(3 * 366)))
            await Poll.UntilAsync(() => !sink.Runs.IsEmpty, "a run");
        Assert.True(sink.Runs.Single().IsPastDue);

        // Nothing is owed any more: the marker timer of the same start shows that the listeners are past their first look.
        sink.Runs.Clear();
        await using (await StartAsync<TimerProbe>(sink, "0 0 0 1 1 *", ahead: TimeSpan.FromDays(3 * 366 + 1)))
        {
            var marker = new TimerSink();
            await using var other = await StartAsync<StartupTimerProbe>(marker, "0 0 0 1 1 *");
            await Poll.UntilAsync(() => !marker.Runs.IsEmpty, "the marker runs");
        }
        Assert.Empty(sink.Runs);
    }

    [Fact]
    public async Task TwoProcesses_OnlyOneRunsTheTimerUntilItStops()
    {
        var first = new TimerSink();
        var second = new TimerSink();
        var holder = await StartAsync<TimerProbe>(first, "00:00:00.100");
        await Poll.UntilAsync(() => !first.Runs.IsEmpty, "the first process has the timer");
        await using var waiting = await StartAsync<TimerProbe>(second, "00:00:00.100");
        var count = first.Runs.Count;
        await Poll.UntilAsync(() => first.Runs.Count > count + 20, "the first process goes on");
        Assert.Empty(second.Runs);

        await holder.DisposeAsync();
        await Poll.UntilAsync(() => !second.Runs.IsEmpty, "the second process takes over");
    }

    [Fact]
    public async Task Failure_WithRetryPolicy_IsRetriedWithItsContext()
    {
        var sink = new TimerSink { Fail = true };
        await using var host = await StartAsync<RetriedTimerProbe>(sink, "0 0 0 1 1 *");
        await Poll.UntilAsync(() => sink.Retries.Count >= 3, "the retries");
        Assert.Equal(["0/2", "1/2", "2/2"], sink.Retries);
    }

    [Fact]
    public async Task Failure_WithoutRetryPolicy_WaitsForTheNextOccurrence()
    {
        var sink = new TimerSink { Fail = true };
        await using var host = await StartAsync<TimerProbe>(sink, "00:00:00.100");
        await Poll.UntilAsync(() => sink.Runs.Count >= 3, "later occurrences");
        Assert.All(sink.Retries, retry => Assert.Equal("none", retry));
    }

    [Fact]
    public async Task Setting_ThatIsNoSchedule_IsRefusedAtStart()
    {
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync<TimerProbe>(new TimerSink(), "every night"));
        Assert.Contains("every night", e.Message, StringComparison.Ordinal);
    }

    /// <summary>A clock that is ahead of the system's.</summary>
    private sealed class ShiftedTime(TimeSpan ahead) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + ahead;
    }
}

public sealed class TimerSink
{
    public ConcurrentQueue<TimerInfo> Runs { get; } = new();

    public ConcurrentQueue<string> Retries { get; } = new();

    public bool Fail { get; init; }

    public void Take(TimerInfo timer, FunctionContext context)
    {
        Retries.Enqueue(context.RetryContext is { } retry ? $"{retry.RetryCount}/{retry.MaxRetryCount}" : "none");
        Runs.Enqueue(timer);
        if (Fail)
            throw new InvalidOperationException("deliberate");
    }
}

public sealed class TimerProbe(TimerSink sink)
{
    [Function("Timer")]
    public void Run([TimerTrigger("%Schedule%")] TimerInfo timer, FunctionContext context) => sink.Take(timer, context);
}

public sealed class StartupTimerProbe(TimerSink sink)
{
    [Function("StartupTimer")]
    public void Run([TimerTrigger("%Schedule%", RunOnStartup = true)] TimerInfo timer, FunctionContext context) => sink.Take(timer, context);
}

public sealed class RetriedTimerProbe(TimerSink sink)
{
    [Function("RetriedTimer"), FixedDelayRetry(2, "00:00:00.010")]
    public void Run([TimerTrigger("%Schedule%", RunOnStartup = true)] TimerInfo timer, FunctionContext context) => sink.Take(timer, context);
}
