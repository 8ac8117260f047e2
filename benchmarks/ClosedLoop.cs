using System.Diagnostics;

namespace Payments.Benchmarks;

/// <summary>What callers saw: how many calls a second, and how long one took.</summary>
internal sealed record LoadResult(double PerSecond, double P50Milliseconds, double P99Milliseconds, long Calls);

/// <summary>Callers that each wait for their answer before they ask again: concurrency is what is given, load is what results.</summary>
internal static class ClosedLoop
{
    /// <param name="call">One call of the numbered caller.</param>
    public static async Task<LoadResult> RunAsync(int callers, TimeSpan warmUp, TimeSpan measure, Func<int, Task> call)
    {
        using var stop = new CancellationTokenSource();
        var measuring = 0;
        var latencies = new List<long>[callers];
        var loops = Enumerable.Range(0, callers).Select(caller => Task.Run(async () =>
        {
            var mine = latencies[caller] = new List<long>(4096);
            while (!stop.IsCancellationRequested)
            {
                var started = Stopwatch.GetTimestamp();
                await call(caller);
                if (Volatile.Read(ref measuring) == 1)
                    mine.Add(Stopwatch.GetTimestamp() - started);
            }
        })).ToArray();

        // A caller that fails ends the run at once, with its error.
        await Task.WhenAny(Task.Delay(warmUp), Task.WhenAny(loops));
        var from = Stopwatch.GetTimestamp();
        Volatile.Write(ref measuring, 1);
        await Task.WhenAny(Task.Delay(measure), Task.WhenAny(loops));
        Volatile.Write(ref measuring, 2);
        var seconds = Stopwatch.GetElapsedTime(from).TotalSeconds;
        await stop.CancelAsync();
        await Task.WhenAll(loops);

        var sorted = latencies.SelectMany(mine => mine).Order().ToArray();
        return new LoadResult(sorted.Length / seconds, Percentile(sorted, 0.50), Percentile(sorted, 0.99), sorted.Length);
    }

    private static double Percentile(long[] sorted, double share) =>
        sorted.Length == 0 ? 0 : sorted[(int)Math.Min(sorted.Length - 1, share * sorted.Length)] * 1000.0 / Stopwatch.Frequency;
}
