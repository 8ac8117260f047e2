using System.Globalization;
using System.Text.Json;
using Azure.Storage.Blobs;
using FunctionsHost.Timers;

namespace FunctionsHost.Tests;

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

public sealed class TimerTriggerTests(StorageServer server) : StorageTests(server)
{
    private const string Yearly = "0 0 0 1 1 *";

    private Task<SampleHost> StartAsync(string function, string schedule, params (string Name, string Value)[] more) =>
        SampleHost.StartAsync([function], Storage.With([("Schedule", schedule), .. more]));

    private BlobClient Status(string function) =>
        new(Storage.Connection, "azure-webjobs-hosts", $"timers/{Storage.Name}/Host.Functions.{function}/status");

    [Fact]
    public async Task Schedule_BelowAMinute_RunsAgainAndAgainUnmonitored()
    {
        await using var host = await StartAsync("Timer", "* * * * * *");
        await host.RunsAsync(2);
        Assert.All(host.Texts(), text => Assert.Equal("""{"ScheduleStatus":null,"IsPastDue":false}""", text));
        Assert.False(await Status("Timer").ExistsAsync());
    }

    [Fact]
    public async Task Schedule_TimeSpan_Runs()
    {
        await using var host = await StartAsync("Timer", "00:00:00.200");
        await host.RunsAsync(2);
    }

    [Fact]
    public async Task RunOnStartup_RunsAtOnceWithTheNextOccurrence()
    {
        await using var host = await StartAsync("StartupTimer", Yearly);
        await host.RunsAsync(1);
        using var timer = JsonDocument.Parse(host.Texts().Single());
        Assert.False(timer.RootElement.GetProperty("IsPastDue").GetBoolean());
        Assert.Equal(1, timer.RootElement.GetProperty("ScheduleStatus").GetProperty("Next").GetDateTime().DayOfYear);
    }

    [Fact]
    public async Task OccurrenceMissedWhileDown_IsMadeUpForOnceAsPastDue()
    {
        await using (var first = await StartAsync("Timer", Yearly))
        {
            await first.UntilAsync(async () => await Status("Timer").ExistsAsync(), "the schedule is persisted");
            Assert.Equal(0, await first.StopAsync());
            Assert.Empty(first.Runs());
        }

        // As it would be found after two years of not running.
        await Status("Timer").UploadAsync(
            BinaryData.FromString(
                """{"Last":"2024-01-01T00:00:00Z","Next":"2025-01-01T00:00:00Z","LastUpdated":"2024-01-01T00:00:00Z"}"""),
            overwrite: true);
        await using (var second = await StartAsync("Timer", Yearly))
        {
            await second.RunsAsync(1);
            using var timer = JsonDocument.Parse(second.Texts().Single());
            Assert.True(timer.RootElement.GetProperty("IsPastDue").GetBoolean());
            await second.UntilAsync(
                async () => !(
                    await Status("Timer").DownloadContentAsync()).Value.Content.ToString().Contains("2025-01-01", StringComparison.Ordinal),
                "the schedule is kept");
            Assert.Equal(0, await second.StopAsync());
        }

        // Nothing is owed any more: the other timer of the same host shows that its listeners are past their first look.
        await using var third = await SampleHost.StartAsync(["Timer", "StartupTimer"], Storage.With(("Schedule", Yearly)));
        await third.UntilAsync(() => third.Runs("StartupTimer").Count == 1, "the marker runs");
        Assert.Equal(0, await third.StopAsync());
        Assert.Empty(third.Runs("Timer"));
    }

    [Fact]
    public async Task TwoHosts_OnlyOneRunsTheTimerUntilItStops()
    {
        await using var first = await StartAsync("Timer", "00:00:00.100");
        await first.RunsAsync(1, "the first host has the timer");
        await using var second = await StartAsync("Timer", "00:00:00.100");
        var count = first.Runs().Count;
        await first.RunsAsync(count + 20, "the first host goes on");
        Assert.Empty(second.Runs());

        await first.StopAsync();
        await second.RunsAsync(1, "the second host takes over");
    }

    [Fact]
    public async Task Failure_WithRetryPolicy_IsRetriedWithItsContext()
    {
        await using var host = await StartAsync("RetriedTimer", Yearly, ("Fail", "true"));
        await host.RunsAsync(3, "the retries");
        Assert.Equal(["0/2", "1/2", "2/2"], host.Runs().Select(run => run.Retry));
    }

    [Fact]
    public async Task Failure_WithoutRetryPolicy_WaitsForTheNextOccurrence()
    {
        await using var host = await StartAsync("Timer", "00:00:00.100", ("Fail", "true"));
        await host.RunsAsync(3, "later occurrences");
        Assert.All(host.Runs(), run => Assert.Null(run.Retry));
    }

    [Fact]
    public async Task Setting_ThatIsNoSchedule_IsRefusedAtStart()
    {
        var (exitCode, output) = await SampleHost.RefuseAsync(["Timer"], Storage.With(("Schedule", "every night")));
        Assert.Equal(1, exitCode);
        Assert.Contains("Function 'Timer': 'every night' is no schedule", output, StringComparison.Ordinal);
    }
}
