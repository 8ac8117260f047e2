using Microsoft.Azure.Functions.Worker;
using Payments.SelfHost.Queues;
using Payments.SelfHost.Storage;
using Payments.SelfHost.Timers;

namespace Payments.SelfHost.Hosting;

/// <summary>Makes the listener of each enabled function that no request starts.</summary>
internal static class TriggerListeners
{
    private const string HostsContainer = "azure-webjobs-hosts";

    public static IEnumerable<ITriggerListener> For(TriggerSetup setup, IServiceProvider services)
    {
        var (_, enabled, settings, hostJson, executor, console, time) = setup;
        var storage = new StorageConnections(settings);
        var runner = new EventRunner(executor, services, hostJson.Time("functionTimeout", TimeSpan.Zero));
        var hostId = settings["AzureFunctionsWebHost:hostid"] ?? "selfhost";
        foreach (var function in enabled)
        {
            switch (function.Trigger)
            {
                case TimerTriggerAttribute timer:
                    yield return new TimerListener(
                        function,
                        Settings.Resolve(settings, timer.Schedule, function.Name),
                        storage.Blobs(null, function.Name).GetBlobContainerClient(HostsContainer),
                        hostId, runner, console, time);
                    break;
                case QueueTriggerAttribute queue:
                    yield return new QueueListener(
                        function,
                        Settings.Resolve(settings, queue.QueueName, function.Name),
                        storage.Queues(queue.Connection, function.Name),
                        QueueSettings.From(hostJson, Settings.Time(settings, "SelfHost:QueueLease", TimeSpan.FromSeconds(30))),
                        runner, console);
                    break;
            }
        }
    }
}
