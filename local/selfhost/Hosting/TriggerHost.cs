using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Payments.SelfHost.Http;

namespace Payments.SelfHost.Hosting;

internal sealed record TriggerSetup(
    IReadOnlyList<FunctionDescriptor> All,
    IReadOnlyList<FunctionDescriptor> Enabled,
    IConfiguration Settings,
    HostJson HostJson,
    FunctionExecutor Executor,
    HostConsole Console,
    TimeProvider Time);

/// <summary>Waits for what starts a function other than a request.</summary>
internal interface ITriggerListener
{
    /// <summary>Takes work until stopping trips, then returns once what runs has ended. Abandoning trips when waiting any longer is refused.</summary>
    Task RunAsync(CancellationToken stopping, CancellationToken abandoning);
}

/// <summary>Starts the listeners when the whole app is up, and drains them when it stops.</summary>
internal sealed class TriggerHost(IServiceProvider services, IServer server) : IHostedLifecycleService, IDisposable
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationTokenSource _abandoning = new();
    private readonly List<Task> _listening = [];
    private TriggerSetup? _setup;
    private IReadOnlyList<ITriggerListener> _listeners = [];

    /// <summary>Makes the listeners, so that what is wrong with a trigger is an error of the start.</summary>
    public void Configure(TriggerSetup setup)
    {
        _setup = setup;
        _listeners = [.. TriggerListeners.For(setup, services)];
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken)
    {
        if (_setup is { } setup)
        {
            PrintFunctions(setup);
            _listening.AddRange(_listeners.Select(listener => Task.Run(() => ListenAsync(listener, setup), CancellationToken.None)));
        }
        return Task.CompletedTask;
    }

    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        _stopping.Cancel();
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await using var giveUp = cancellationToken.Register(_abandoning.Cancel);
        var drained = Task.WhenAll(_listening);
        await Task.WhenAny(drained, Task.Delay(Timeout.Infinite, cancellationToken));
        // Told to end now, functions get a moment to write down how far they came.
        if (await Task.WhenAny(drained, Task.Delay(Grace, CancellationToken.None)) != drained)
            _setup?.Console.Line("Functions that did not end in time are abandoned.");
    }

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose()
    {
        _stopping.Dispose();
        _abandoning.Dispose();
    }

    private async Task ListenAsync(ITriggerListener listener, TriggerSetup setup)
    {
        try
        {
            await listener.RunAsync(_stopping.Token, _abandoning.Token);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // Stopped while it waited.
        }
        catch (Exception e)
        {
            // A dead listener would be a silent loss of work.
            setup.Console.Line($"A trigger listener failed, so the app stops: {e}");
            services.GetRequiredService<IHostApplicationLifetime>().StopApplication();
        }
    }

    private void PrintFunctions(TriggerSetup setup)
    {
        var address = server.Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault() ?? "http://127.0.0.1";
        var prefix = HttpFunctions.RoutePrefix(setup.HostJson);
        var lines = new List<string> { "", "Functions:", "" };
        foreach (var function in setup.All)
        {
            var what = function.Trigger is HttpTriggerAttribute trigger
                ? $"[{(trigger.Methods is { Length: > 0 } methods ? string.Join(',', methods).ToUpperInvariant() : "ANY")}] {address}/{HttpFunctions.RouteOf(function, prefix)}"
                : FunctionCatalog.TypeOf(function.Trigger);
            lines.Add($"        {function.Name}: {what}{(setup.Enabled.Contains(function) ? "" : " (disabled)")}");
        }
        lines.Add("");
        lines.Add($"Listening on {address}");
        setup.Console.Line(string.Join(Environment.NewLine, lines));
    }
}
