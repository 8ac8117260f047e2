using System.Text;
using System.Text.Json;
using Payments.Kit;

namespace Payments.Faults;

/// <summary>Starts planned faults and ends them.</summary>
internal sealed class FaultInjector(World world, Tally tally)
{
    /// <summary>How long after a request the acquirer may still carry it out, although the caller has gone.</summary>
    public static readonly TimeSpan Late = TimeSpan.FromMilliseconds(800);

    public async Task InjectAsync(PlannedFault fault)
    {
        await Task.Delay(fault.After);
        tally.Add($"fault: {fault.Kind}");
        switch (fault.Kind)
        {
            case FaultKind.KillInstance:
                await world.CrashAsync(fault.Choice % World.Instances, InstanceProcesses.All, fault.Length);
                break;
            case FaultKind.KillHost:
                await world.CrashAsync(fault.Choice % World.Instances, InstanceProcesses.Host, fault.Length);
                break;
            case FaultKind.KillWorker:
                await world.CrashAsync(fault.Choice % World.Instances, InstanceProcesses.Worker, fault.Length);
                break;
            case FaultKind.RestartPostgresFast:
                await world.RestartPostgresAsync(immediate: false, fault.Length / 3);
                break;
            case FaultKind.RestartPostgresImmediate:
                await world.RestartPostgresAsync(immediate: true, fault.Length / 3);
                break;
            case FaultKind.DropConnections:
                await world.Postgres.DropConnectionsAsync(world.Database);
                break;
            case FaultKind.CutPostgres:
                await CutAsync(world.PostgresCable, fault.Length / 2);
                break;
            case FaultKind.LosePostgresAnswers:
                world.PostgresCable.LoseAnswers(1 + (fault.Choice % 4));
                break;
            case FaultKind.SlowCommits:
                await world.Postgres.SlowCommitsAsync(TimeSpan.FromMilliseconds(20 + (fault.Choice % 80)));
                await Task.Delay(fault.Length);
                await world.Postgres.SlowCommitsAsync(TimeSpan.Zero);
                break;
            case FaultKind.CutClients:
                world.Front.Cut();
                break;
            case FaultKind.LoseAnswersToClients:
                world.Front.LoseAnswers(2 + (fault.Choice % 10));
                break;
            case FaultKind.SlowAnswersToClients:
                await DelayAsync(world.Front, fault);
                break;
            case FaultKind.ProcessorTimeouts:
                await ProcessorAsync(fault, [Rule("timeout_before", 0.15), Rule("timeout_after", 0.25), Rule("delay", 0.2, 700)]);
                break;
            case FaultKind.ProcessorErrors:
                await ProcessorAsync(fault, [Rule("fail_before", 0.2), Rule("fail_after", 0.25), Rule("malformed", 0.1)]);
                break;
            case FaultKind.ProcessorRateLimits:
                await ProcessorAsync(fault, [Rule("rate_limit", 0.5)]);
                break;
            case FaultKind.ProcessorDrops:
                await ProcessorAsync(fault, [Rule("drop_before", 0.2), Rule("drop_after", 0.3), Rule("delay_before", 0.1, (int)Late.TotalMilliseconds)]);
                break;
            case FaultKind.ProcessorDown:
                await CutAsync(world.AcquirerCable, fault.Length);
                break;
            case FaultKind.ProcessorRestart:
                await world.RestartAcquirerAsync();
                break;
            case FaultKind.Webhooks:
                await FaultsOfAcquirerAsync([], new { duplicate = 0.4, drop_first = 0.2, delay = 0.3, delay_milliseconds = 800, reorder = 0.5, reorder_window_milliseconds = 600 });
                await Task.Delay(fault.Length);
                await HealAcquirerAsync();
                break;
            case FaultKind.QueueOutage:
                await world.RestartBusAsync(fault.Length);
                break;
            case FaultKind.LoseQueueAnswers:
                world.QueueCable.LoseAnswers(1 + (fault.Choice % 6));
                break;
            case FaultKind.StorageOutage:
                await CutAsync(world.BlobCable, fault.Length);
                break;
            case FaultKind.ClockSkew:
                // Webhook signatures are valid for five minutes, and clocks in a cloud never differ by that much.
                world.Clock.Skew(fault.Choice % World.Instances, TimeSpan.FromSeconds((fault.Choice % 240) - 120));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(fault), fault.Kind, "There is no such fault.");
        }
    }

    /// <summary>Ends all faults. After this call nothing fails any more.</summary>
    public async Task HealAsync()
    {
        world.HealCables();
        foreach (var instance in Enumerable.Range(0, World.Instances))
            world.Clock.Skew(instance, TimeSpan.Zero);
        await world.Postgres.SlowCommitsAsync(TimeSpan.Zero);
        await HealAcquirerAsync();
        foreach (var instance in Enumerable.Range(0, World.Instances))
            await world.StartInstanceAsync(instance);
    }

    private static async Task CutAsync(ChaosProxy cable, TimeSpan length)
    {
        cable.Refuses = true;
        cable.Cut();
        await Task.Delay(length);
        cable.Refuses = false;
    }

    private static async Task DelayAsync(ChaosProxy cable, PlannedFault fault)
    {
        cable.Delay = TimeSpan.FromMilliseconds(20 + (fault.Choice % 150));
        await Task.Delay(fault.Length);
        cable.Delay = TimeSpan.Zero;
    }

    private async Task ProcessorAsync(PlannedFault fault, object[] rules)
    {
        await FaultsOfAcquirerAsync(rules, webhooks: null);
        await Task.Delay(fault.Length);
        await HealAcquirerAsync();
    }

    private static object Rule(string kind, double probability, int delay = 500) => new { kind, probability, delay_milliseconds = delay, burst = 2 };

    private Task HealAcquirerAsync() => FaultsOfAcquirerAsync([], webhooks: null);

    private Task FaultsOfAcquirerAsync(object[] rules, object? webhooks) => Eventually.HoldsAsync(
        async () =>
        {
            using var content = new StringContent(JsonSerializer.Serialize(new { rules, webhooks }), Encoding.UTF8, "application/json");
            using var answer = await world.Acquirer.PutAsync(new Uri("/control/faults", UriKind.Relative), content);
            return answer.IsSuccessStatusCode;
        },
        TimeSpan.FromMinutes(1), "the acquirer takes its faults");
}
