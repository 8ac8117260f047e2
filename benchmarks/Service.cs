using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Payments.Kit;

namespace Payments.Benchmarks;

/// <summary>A program that is measured, run as a process of its own. Of the Functions host, its worker is a second process.</summary>
internal sealed class Service : IAsyncDisposable
{
    private static readonly TimeSpan StartTime = TimeSpan.FromSeconds(60);
    private readonly ChildProcess _process;
    private readonly Process? _worker;

    private Service(string name, ChildProcess process, Process? worker, Uri address, TimeSpan started) =>
        (Name, _process, _worker, Address, TimeToStart) = (name, process, worker, address, started);

    public string Name { get; }

    public Uri Address { get; }

    /// <summary>From the start of the process to the first answer.</summary>
    public TimeSpan TimeToStart { get; }

    /// <summary>Resident memory of the process and its worker.</summary>
    public double MemoryMegabytes
    {
        get
        {
            _worker?.Refresh();
            return (_process.WorkingSet + (_worker?.WorkingSet64 ?? 0)) / 1e6;
        }
    }

    /// <summary>The processor time of each process, by name.</summary>
    public IEnumerable<(string Process, TimeSpan Time)> ProcessorTimes
    {
        get
        {
            yield return (_worker is null ? Name : Name + "'s host", _process.ProcessorTime);
            if (_worker is null)
                yield break;
            _worker.Refresh();
            yield return (Name + "'s worker", _worker.TotalProcessorTime);
        }
    }

    public static async Task<Service> StartAsync(BenchServers servers, string name, Command command, int port, string health)
    {
        var address = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}/"));
        var began = Stopwatch.GetTimestamp();

        // ./bench sets this for the driver alone, whose idle threads must not take time from what is measured.
        var process = ChildProcess.Start(name.Replace(' ', '-'), command.With([new("DOTNET_ThreadPool_UnfairSemaphoreSpinLimit", "")]), servers.Logs);
        try
        {
            await Eventually.AnswersAsync(process, new Uri(address, health), StartTime);
            var started = Stopwatch.GetElapsedTime(began);
            return new Service(name, process, await WorkerOfAsync(address), address, started);
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        _worker?.Dispose();
    }

    private static async Task<Process?> WorkerOfAsync(Uri address)
    {
        using var http = new HttpClient { BaseAddress = address };
        using var answer = await http.GetAsync(new Uri("/admin/host/status", UriKind.Relative));
        return answer.IsSuccessStatusCode
            ? Process.GetProcessById((await answer.Content.ReadFromJsonAsync<JsonObject>())!["workerProcessId"]!.GetValue<int>())
            : null;
    }
}
