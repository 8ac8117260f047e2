using System.Globalization;
using Payments.Kit;

namespace Payments.Benchmarks;

/// <summary>
/// What the local host adds to a request: an empty function on it, beside the same endpoint on bare Kestrel. Both answer 201 without a body. The processor
/// time of host and worker is reported for each request: the worker's share is the official worker's own, on any host.
/// </summary>
internal static class HttpBench
{
    private const int Turns = 4;
    private static readonly int[] Connections = [1, 32, 128];

    public static async Task RunAsync(BenchRun run)
    {
        var turn = run.Quick
            ? new BenchTimes(TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(1))
            : new BenchTimes(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5));
        await run.ExecuteAsync(BareCharge.Table);
        await using var function = await StartFunctionAsync(run);
        await using var bare = await StartBareAsync(run);
        run.Report("start", "time to the first answer", function.TimeToStart.TotalSeconds, "s", bare.TimeToStart.TotalSeconds);
        run.Report("idle", "memory of host and worker", function.MemoryMegabytes, "MB", bare.MemoryMegabytes);
        foreach (var service in new[] { bare, function })
            await LoadAsync(service, 32, new BenchTimes(TimeSpan.Zero, run.Quick ? TimeSpan.FromSeconds(4) : TimeSpan.FromSeconds(15)));
        foreach (var connections in Connections)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"{connections} connections");
            var (ones, others) = (new List<HttpLoadResult>(), new List<HttpLoadResult>());
            var (bareTime, functionTime) = (new Dictionary<string, TimeSpan>(), new Dictionary<string, TimeSpan>());
            for (var i = 0; i < Turns; i++)
            {
                ones.Add(await MeasureAsync(bare, connections, turn, bareTime));
                others.Add(await MeasureAsync(function, connections, turn, functionTime));
            }

            var (baseline, ours) = (HttpLoadResult.Of(ones), HttpLoadResult.Of(others));
            run.Report(name, "throughput", ours.PerSecond, "requests/s", baseline.PerSecond);
            run.Report(name, "p50", ours.P50Milliseconds, "ms", baseline.P50Milliseconds);
            run.Report(name, "p99", ours.P99Milliseconds, "ms", baseline.P99Milliseconds);
            run.Report(name, "failures", ours.Failures + baseline.Failures, "requests");
            var bareMilliseconds = Milliseconds(bareTime.Values.Single(), ones, turn);
            foreach (var (process, time) in functionTime)
                run.Report(name, $"processor time, {process}", Milliseconds(time, others, turn), "ms/request", bareMilliseconds);
            run.Report(name, "memory of host and worker", function.MemoryMegabytes, "MB", bare.MemoryMegabytes);
        }
    }

    public static Task<Service> StartBareAsync(BenchRun run)
    {
        var port = FreePorts.Take();
        return Service.StartAsync(run.Servers, "bare endpoint", BareEndpoint.Command(port, Pooled(run)), port, "/empty");
    }

    public static Task<Service> StartFunctionAsync(BenchRun run)
    {
        var port = FreePorts.Take();
        var app = Path.Combine(Repository.Root, "benchmarks", "BareFunctions", "bin", Repository.Configuration, "app");
        return Service.StartAsync(run.Servers, "bare function", Programs.Host(app, port).With([new(BareCharge.PostgresVariable, Pooled(run))]), port, "/empty");
    }

    private static string Pooled(BenchRun run) => new Npgsql.NpgsqlConnectionStringBuilder(run.AppConnectionString) { MaxPoolSize = 100 }.ConnectionString;

    private static async Task<HttpLoadResult> MeasureAsync(Service service, int connections, BenchTimes turn, Dictionary<string, TimeSpan> used)
    {
        var before = service.ProcessorTimes.ToDictionary(pair => pair.Process, pair => pair.Time);
        var result = await LoadAsync(service, connections, turn);
        foreach (var (process, time) in service.ProcessorTimes)
            used[process] = used.GetValueOrDefault(process) + time - before[process];
        return result;
    }

    // Processor time is taken over the warm-up too, calls are counted in the measured part alone.
    private static double Milliseconds(TimeSpan time, List<HttpLoadResult> turns, BenchTimes turn) =>
        time.TotalMilliseconds / Math.Max(1, turns.Sum(r => r.Calls * (turn.WarmUp + turn.Measure) / r.Measured));

    private static Task<HttpLoadResult> LoadAsync(Service service, int connections, BenchTimes times) => HttpLoad.PostAsync(
        service.Address, connections, times.WarmUp, times.Measure, _ => $"POST /empty HTTP/1.1\r\nHost: {service.Address.Authority}\r\n", _ => "", 201);
}
