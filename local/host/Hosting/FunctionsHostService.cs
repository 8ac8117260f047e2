using FunctionsHost.Http;
using FunctionsHost.Worker;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;

namespace FunctionsHost.Hosting;

/// <summary>Waits for what starts a function other than a request.</summary>
internal interface ITriggerListener
{
    /// <summary>
    /// Takes work until stopping trips, then returns once what runs has ended. Abandoning trips when the stop may take no
    /// longer.
    /// </summary>
    Task RunAsync(CancellationToken stopping, CancellationToken abandoning);
}

/// <summary>
/// Brings the worker up before the web server listens, starts the listeners when everything is up, and drains both when
/// the host stops.
/// </summary>
internal sealed class FunctionsHostService(
    HostSettings settings,
    HostJson hostJson,
    HostConsole console,
    TimeProvider time,
    WorkerSupervisor workers,
    WorkerForwarder forwarder,
    GrpcServer grpc,
    IServer server,
    ServiceBus.MessagesInWork work,
    IHostApplicationLifetime lifetime,
    IServiceProvider services) : IHostedLifecycleService, IDisposable
{
    private static readonly TimeSpan AbandonGrace = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan WorkerGrace = TimeSpan.FromSeconds(10);

    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationTokenSource _abandoning = new();
    private readonly List<Task> _listening = [];
    private readonly long _started = time.GetTimestamp();
    private TriggerListeners? _listeners;
    private IReadOnlyList<Function> _functions = [];
    private RouteTable? _routes;
    private HttpFunctions? _http;

    public bool HasFailed { get; private set; }

    public Task ServeAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        return path.StartsWith("/admin/", StringComparison.OrdinalIgnoreCase)
            || path.StartsWith("/runtime/", StringComparison.OrdinalIgnoreCase)
            ? ServeOwnAsync(context, path)
            : _http!.ServeAsync(context);
    }

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        await grpc.StartAsync(cancellationToken);
        workers.Failed += Fail;
        var described = await workers.StartAsync(cancellationToken);
        _functions =
        [
            .. described.Select(metadata => Function.From(metadata, settings.Values))
                .OrderBy(function => function.Name, StringComparer.OrdinalIgnoreCase),
        ];
        var enabled = _functions.Where(function => function.IsEnabled).ToList();
        var requests = _functions.Where(function => function.IsHttp).ToList();
        if (requests.Count > 0 && workers.Current?.HttpAddress is null)
            throw new InvalidOperationException(
                $"Function '{requests[0].Name}' has an HTTP trigger, so the app has to call builder.ConfigureFunctionsWebApplication().");
        _routes = new RouteTable(requests, HttpFunctions.RoutePrefix(hostJson), services);
        _http = new HttpFunctions(_routes, hostJson, settings, workers, forwarder, console, time);
        // Made now, so that what is wrong with a trigger is an error of the start.
        var runner = new EventRunner(
            workers, hostJson.Time("functionTimeout", TimeSpan.Zero), EventRunner.TimeoutGrace(settings.Values), console, time);
        _listeners = new TriggerListeners(enabled, settings, hostJson, work, runner, console, time);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken)
    {
        PrintFunctions();
        _listening.AddRange(_listeners!.All.Select(listener => Task.Run(() => ListenAsync(listener), CancellationToken.None)));
        return Task.CompletedTask;
    }

    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        _stopping.Cancel();
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        // The web server has drained already: it was started last, so it stopped first.
        await _stopping.CancelAsync();
        await using var giveUp = cancellationToken.Register(_abandoning.Cancel);
        var drained = Task.WhenAll(_listening);
        await Task.WhenAny(drained, Task.Delay(Timeout.Infinite, cancellationToken));
        // Told to end now, functions get a moment to write down how far they came.
        if (await Task.WhenAny(drained, Task.Delay(AbandonGrace, CancellationToken.None)) != drained)
            console.Line("Functions that did not end in time are abandoned.");
    }

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Ends the worker once nothing runs any more.</summary>
    public async Task EndWorkerAsync()
    {
        await workers.StopAsync(WorkerGrace);
        await grpc.DisposeAsync();
    }

    public void Dispose()
    {
        _http?.Dispose();
        _stopping.Dispose();
        _abandoning.Dispose();
    }

    private void Fail()
    {
        HasFailed = true;
        lifetime.StopApplication();
    }

    private Task ServeOwnAsync(HttpContext context, string path)
    {
        if (path.Equals("/admin/host/status", StringComparison.OrdinalIgnoreCase) && HttpMethods.IsGet(context.Request.Method))
        {
            return context.Response.WriteAsJsonAsync(new HostStatus(
                workers.Current is null ? "Starting" : "Running",
                (long)time.GetElapsedTime(_started).TotalMilliseconds,
                workers.ProcessId));
        }
        if (path.Equals(Blobs.BlobEvents.Path, StringComparison.OrdinalIgnoreCase) && _listeners!.BlobEvents is { } events)
            return events.ServeAsync(context);
        context.Response.StatusCode = StatusCodes.Status404NotFound;
        return Task.CompletedTask;
    }

    private async Task ListenAsync(ITriggerListener listener)
    {
        try
        {
            await listener.RunAsync(_stopping.Token, _abandoning.Token);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // Stopped while it waited.
        }
#pragma warning disable CA1031 // A dead listener would be a silent loss of work.
        catch (Exception e)
#pragma warning restore CA1031
        {
            console.Line($"A trigger listener failed, so the host stops: {e}");
            Fail();
        }
    }

    private void PrintFunctions()
    {
        var address = server.Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault() ?? "http://127.0.0.1";
        var prefix = HttpFunctions.RoutePrefix(hostJson);
        var routes = _routes!.Routes.ToDictionary(route => route.Function);
        var lines = new List<string> { "", "Functions:", "" };
        foreach (var function in _functions)
        {
            var what = routes.TryGetValue(function, out var route)
                ? $"[{(route.Methods.Count > 0 ? string.Join(',', route.Methods) : "ANY")}] {address}/{route.Template}"
                : function.TriggerType;
            lines.Add($"        {function.Name}: {what}{(function.IsEnabled ? "" : " (disabled)")}");
        }
        lines.Add("");
        lines.Add($"Listening on {address}");
        console.Line(string.Join(Environment.NewLine, lines));
    }

    private sealed record HostStatus(string State, long ProcessUptime, int? WorkerProcessId);
}
