using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Payments.Kit;

namespace Payments.AppHost;

/// <summary>One run from its start to its end: says on the terminal what starts, what is ready and what has ended.</summary>
internal sealed class LocalRun(DistributedApplication app, Stack stack, LogFiles logs, string dashboard) : IAsyncDisposable
{
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(40);

    private readonly ResourceNotificationService _notifications = app.Services.GetRequiredService<ResourceNotificationService>();
    private readonly CancellationTokenSource _ended = new();
    private Task _following = Task.CompletedTask;

    /// <summary>Starts everything and waits until the last resource is ready.</summary>
    /// <exception cref="KitException">A resource ended or did not get ready.</exception>
    public async Task StartAsync(CancellationToken cancellation)
    {
        _following = FollowAsync(_ended.Token);

        // Aspire ends this call when the last resource has started, which is after those it waits for are ready.
        var starting = app.StartAsync(cancellation);
        foreach (var part in stack.Parts)
        {
            Terminal.Say(part.Announcement);
            var ready = ReadyAsync(part, cancellation);
            if (await Task.WhenAny(ready, starting) == starting)
                await starting;
            await ready;
        }

        await starting.WaitAsync(cancellation);
    }

    /// <summary>Says which resource ends or comes back, until the run is over. All others stay up.</summary>
    public async Task WatchAsync(CancellationToken cancellation)
    {
        var gone = new HashSet<string>();
        await foreach (var change in _notifications.WatchAsync(cancellation))
        {
            if (stack.Parts.FirstOrDefault(part => part.Resource == change.Resource) is not { IsServer: true } part)
                continue;
            if (HasEnded(change.Snapshot) && gone.Add(part.Name))
            {
                Terminal.Say($"{part.Title} ended ({HowOf(change.Snapshot)}): {await LastWordsAsync(part)}");
                Terminal.Say($"All others stay up. Start it again at {dashboard}");
            }
            else if (IsReady(change.Snapshot) && gone.Remove(part.Name))
            {
                Terminal.Say($"{part.Title} is ready again.");
            }
        }
    }

    /// <summary>
    /// Stops the resources in the opposite order of their start, then Aspire. The app finishes its requests and commits while Postgres still answers.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        var commands = app.Services.GetRequiredService<ResourceCommandService>();
        foreach (var part in stack.Parts.Reverse())
        {
            if (!_notifications.TryGetCurrentState(part.Name, out var current)
                || current.Snapshot.State?.Text != KnownResourceStates.Running)
                continue;
            using var patience = new CancellationTokenSource(StopPatience);
            try
            {
                if (part.StopSignal is { } signal && ProcessOf(current.Snapshot) is { } process)
                    await SignalAsync(signal, process, patience.Token);
                else
                    await commands.ExecuteCommandAsync(part.Resource, KnownResourceCommands.StopCommand, patience.Token);

                await _notifications.WaitForResourceAsync(part.Name, change => HasEnded(change.Snapshot), patience.Token);
            }
            catch (OperationCanceledException)
            {
                // Aspire kills it below.
            }
        }

        await _ended.CancelAsync();
        await app.StopAsync();
        await app.DisposeAsync();
        await _following.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _ended.Dispose();
    }

    private async Task ReadyAsync(Part part, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(part.Patience);
        CustomResourceSnapshot snapshot;
        try
        {
            var reached = await _notifications.WaitForResourceAsync(
                part.Name, change => HasEnded(change.Snapshot) || (part.IsServer && IsReady(change.Snapshot)), patience.Token);
            snapshot = reached.Snapshot;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new KitException($"{part.Title} is not ready after {part.Patience.TotalSeconds:0} s: {await LastWordsAsync(part)}");
        }

        if (HasEnded(snapshot) && (part.IsServer || snapshot.ExitCode != 0))
            throw new KitException($"{part.Failure}: {await LastWordsAsync(part)}");
    }

    /// <summary>Copies the output of each process to its file, from its first line.</summary>
    private async Task FollowAsync(CancellationToken cancellation)
    {
        var output = app.Services.GetRequiredService<ResourceLoggerService>();
        var known = new HashSet<string>();
        await foreach (var change in _notifications.WatchAsync(cancellation))
        {
            if (stack.Parts.FirstOrDefault(part => part.Resource == change.Resource) is { } part && known.Add(change.ResourceId))
                _ = CopyAsync(output, change.ResourceId, part.Name, cancellation);
        }
    }

    private async Task CopyAsync(ResourceLoggerService output, string resource, string name, CancellationToken cancellation)
    {
        await foreach (var batch in output.WatchAsync(resource).WithCancellation(cancellation))
        {
            foreach (var line in batch)
                logs.Append(name, WithoutTime(line.Content));
        }
    }

    /// <summary>The lines of a process come with the time at which Aspire read them.</summary>
    private static string WithoutTime(string line) =>
        line.Split(' ', 2) is [[_, _, _, _, '-', .., 'Z'], var rest] ? rest : line;

    /// <summary>The output of a process that has just ended can still be on its way.</summary>
    private async Task<string> LastWordsAsync(Part part)
    {
        await Task.Delay(TimeSpan.FromMilliseconds(500));
        return logs.LastWords(part.Name);
    }

    private static string? ProcessOf(CustomResourceSnapshot snapshot) =>
        snapshot.Properties.FirstOrDefault(property => property.Name == "executable.pid")?.Value?.ToString();

    private static async Task SignalAsync(string signal, string process, CancellationToken cancellation)
    {
        using var kill = Process.Start("kill", [$"-{signal}", process]);
        await kill.WaitForExitAsync(cancellation);
    }

    private static bool IsReady(CustomResourceSnapshot snapshot) =>
        snapshot.State?.Text == KnownResourceStates.Running && snapshot.HealthStatus == HealthStatus.Healthy;

    private static bool HasEnded(CustomResourceSnapshot snapshot) => KnownResourceStates.TerminalStates.Contains(snapshot.State?.Text);

    private static string HowOf(CustomResourceSnapshot snapshot) => snapshot.ExitCode switch
    {
        null => "no exit code",
        -1 => "killed",
        { } code => $"exit code {code}",
    };
}
