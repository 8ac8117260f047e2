using System.Diagnostics;
using System.Net;
using System.Text.Json;

namespace FunctionsHost.Tests;

/// <summary>Starting, stopping, settings, limits, and the life of the worker.</summary>
public sealed class HostTests
{
    private static readonly Uri Wait = new("/api/wait", UriKind.Relative);

    private static Dictionary<string, string> Settings(params (string Name, string Value)[] settings) =>
        settings.ToDictionary(pair => pair.Name, pair => pair.Value);

    [Fact]
    public async Task RoutePrefix_InHostJson_ReplacesApi()
    {
        await using var host = await SampleHost.StartAsync(
            [],
            files: new Dictionary<string, string>
            {
                ["host.json"] = """{ "version": "2.0", "extensions": { "http": { "routePrefix": "" } } }""",
            });
        Assert.Equal("named GET", await host.Client.GetStringAsync(new Uri("/named", UriKind.Relative)));
        Assert.Equal(HttpStatusCode.NotFound, (await host.Client.GetAsync(new Uri("/api/named", UriKind.Relative))).StatusCode);
    }

    [Theory]
    [InlineData("AzureFunctionsJobHost:extensions:http:routePrefix", "other", "Set extensions.http.routePrefix in host.json")]
    [InlineData("AzureFunctionsJobHost:functionTimeout", "soon", "'functionTimeout' is 'soon'")]
    [InlineData("FunctionsHost:Port", "many", "FunctionsHost:Port is 'many'")]
    [InlineData("WithoutWebApplication", "true", "ConfigureFunctionsWebApplication")]
    [InlineData("FailAtStart", "no database", "before it connected")]
    public async Task Setting_ThatIsWrong_IsRefusedAtStart(string name, string value, string says)
    {
        var (exitCode, output) = await SampleHost.RefuseAsync([], Settings((name, value)));
        Assert.Equal(1, exitCode);
        Assert.Contains(says, output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Settings_OfFileEnvironmentAndArguments_ReachTheWorkerInRisingOrder()
    {
        await using var host = await SampleHost.StartAsync(
            [],
            Settings(("Argument", "argument"), ("Deep:Er", "argument")),
            new Dictionary<string, string>
            {
                ["local.settings.json"] =
                    """
                    {
                      "IsEncrypted": false,
                      "Values": { "File": "file", "ENVIRONMENT": "file", "Argument": "file", "Deep__Er": "file", "A__B": "nested" }
                    }
                    """,
            },
            environment: new Dictionary<string, string> { ["Environment"] = "environment", ["Argument"] = "environment" });
        Task<string> GetAsync(string name) => host.Client.GetStringAsync(new Uri($"/api/setting/{name}", UriKind.Relative));

        Assert.Equal("file", await GetAsync("File"));
        Assert.Equal("environment", await GetAsync("Environment"));
        Assert.Equal("argument", await GetAsync("Argument"));
        Assert.Equal("argument", await GetAsync("Deep:Er"));
        Assert.Equal("nested", await GetAsync("A:B"));
    }

    [Fact]
    public async Task Client_ThatGoesAway_TripsTheToken()
    {
        await using var host = await SampleHost.StartAsync([], hold: true);
        using var client = new CancellationTokenSource();
        var call = host.Client.GetAsync(Wait, client.Token);
        await host.RunsAsync(1);
        await client.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await host.RunsAsync(2, "the token trips");
        Assert.Equal("cancelled", host.Texts().Last());
    }

    [Fact]
    public async Task FunctionTimeout_TripsTheTokenAndTheCallerGets500()
    {
        await using var host = await SampleHost.StartAsync([], Settings(("AzureFunctionsJobHost:functionTimeout", "00:00:05")), hold: true);
        // The first run of all would need a part of the time.
        await host.UntilAsync(
            async () => (await host.Client.GetAsync(new Uri("/api/named", UriKind.Relative))).IsSuccessStatusCode, "the worker is warm");
        using var response = await host.Client.GetAsync(Wait);
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Equal("cancelled", host.Texts().Last());
        Assert.Contains("Function 'Wait' did not end within 00:00:05", host.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task FunctionTimeout_OfAFunctionThatHeedsNoToken_EndsItsWorkerAndAnotherServes()
    {
        await using var host = await SampleHost.StartAsync(
            [],
            Settings(("AzureFunctionsJobHost:functionTimeout", "00:00:05"), ("FunctionsHost:TimeoutGrace", "00:00:00.300")),
            hold: true);
        using var response = await host.Client.GetAsync(new Uri("/api/deaf", UriKind.Relative));
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        // The first run in a new worker can take its time, too.
        await host.UntilAsync(
            async () => (await host.Client.GetAsync(new Uri("/api/named", UriKind.Relative))).IsSuccessStatusCode, "another worker serves");
        Assert.Contains("Its worker is ended.", host.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MaxOutstandingRequests_BeyondIt_Is429()
    {
        await using var host = await SampleHost.StartAsync(
            [], Settings(("AzureFunctionsJobHost:extensions:http:maxOutstandingRequests", "1")), hold: true);
        var running = host.Client.GetStringAsync(Wait);
        await host.RunsAsync(1);
        Assert.Equal(HttpStatusCode.TooManyRequests, (await host.Client.GetAsync(Wait)).StatusCode);
        host.Release();
        Assert.Equal("released", await running);
    }

    [Theory]
    [InlineData("TERM")]
    [InlineData("INT")]
    public async Task Stop_WaitsForARunningRequestAndExits0(string signal)
    {
        await using var host = await SampleHost.StartAsync([], hold: true);
        var worker = await host.WorkerAsync();
        var call = host.Client.GetStringAsync(Wait);
        await host.RunsAsync(1);
        await host.SignalAsync(signal);
        await host.UntilAsync(() => IsRefusedAsync(host.Client.BaseAddress!), "new connections are refused");
        host.Release();
        Assert.Equal("released", await call);
        Assert.Equal(0, await host.ExitAsync());
        Assert.False(IsAlive(worker));
    }

    [Fact]
    public async Task Status_SaysTheWorkersProcess()
    {
        await using var host = await SampleHost.StartAsync([]);
        using var status = JsonDocument.Parse(await host.Client.GetStringAsync(new Uri("/admin/host/status", UriKind.Relative)));
        Assert.Equal("Running", status.RootElement.GetProperty("state").GetString());
        Assert.True(status.RootElement.GetProperty("processUptime").GetInt64() > 0);
        Assert.Contains(
            $"Worker process: {status.RootElement.GetProperty("workerProcessId").GetInt32()}", host.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Host_ThatIsKilled_TakesItsWorkerAlong()
    {
        await using var host = await SampleHost.StartAsync([]);
        var worker = await host.WorkerAsync();
        Assert.True(IsAlive(worker));
        await host.KillAsync();
        await host.UntilAsync(() => !IsAlive(worker), "the worker ends");
    }

    [Fact]
    public async Task Worker_ThatEndsWhileARequestRuns_Is500AndTheNextRequestIsServedByAnother()
    {
        await using var host = await SampleHost.StartAsync([]);
        var first = await host.WorkerAsync();
        Assert.Equal(HttpStatusCode.InternalServerError, (await host.Client.GetAsync(new Uri("/api/crash", UriKind.Relative))).StatusCode);
        Assert.Equal("named GET", await host.Client.GetStringAsync(new Uri("/api/named", UriKind.Relative)));
        Assert.NotEqual(first, await host.WorkerAsync());
        Assert.Contains("Starting another", host.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Worker_ThatEndsTooOften_EndsTheHostWithAnError()
    {
        await using var host = await SampleHost.StartAsync([], Settings(("FunctionsHost:WorkerRestarts", "1")));
        await host.Client.GetAsync(new Uri("/api/crash", UriKind.Relative));
        await host.Client.GetAsync(new Uri("/api/crash", UriKind.Relative));
        Assert.Equal(1, await host.ExitAsync());
        Assert.Contains("The host stops.", host.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task App_ThatIsNoPublishedApp_IsRefusedAtStart()
    {
        var (exitCode, output) = await SampleHost.RefuseAsync([], Settings(("app", Path.GetTempPath())));
        Assert.Equal(1, exitCode);
        Assert.Contains("has no worker.config.json", output, StringComparison.Ordinal);
    }

    private static async Task<bool> IsRefusedAsync(Uri address)
    {
        using var client = new HttpClient();
        try
        {
            await client.GetAsync(new Uri(address, "/api/named"));
            return false;
        }
        catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConnectionError)
        {
            return true;
        }
    }

    private static bool IsAlive(int process)
    {
        try
        {
            using var found = Process.GetProcessById(process);
            return !found.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
