using Microsoft.Azure.Functions.Worker;
using Payments.SelfHost.Blobs;
using Payments.SelfHost.Queues;
using Payments.SelfHost.ServiceBus;
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
                        hostId, Settings.Time(settings, "SelfHost:TimerPolling", TimeSpan.FromMinutes(1)), runner, console, time);
                    break;
                case QueueTriggerAttribute queue:
                    yield return new QueueListener(
                        function,
                        Settings.Resolve(settings, queue.QueueName, function.Name),
                        storage.Queues(queue.Connection, function.Name),
                        QueueSettings.From(hostJson, Settings.Time(settings, "SelfHost:QueueLease", TimeSpan.FromSeconds(30))),
                        runner, console);
                    break;
                case BlobTriggerAttribute blob:
                    // Nothing sends Event Grid's notices here, so blobs that wait for them are found by looking, too.
                    yield return new BlobListener(
                        function,
                        BlobPath.Parse(Settings.Resolve(settings, blob.BlobPath, function.Name), function.Name),
                        storage.Blobs(blob.Connection, function.Name),
                        storage.Blobs(null, function.Name).GetBlobContainerClient(HostsContainer),
                        hostId,
                        () => storage.Queues(blob.Connection, function.Name),
                        BlobSettings.From(hostJson, Settings.Time(settings, "SelfHost:BlobPolling", TimeSpan.FromSeconds(1))),
                        runner, console);
                    break;
                case ServiceBusTriggerAttribute bus:
                    var busSettings = ServiceBusSettings.From(hostJson);
                    yield return new ServiceBusListener(
                        function,
                        Settings.Resolve(settings, bus.QueueName ?? bus.TopicName!, function.Name),
                        bus.SubscriptionName is { } subscription ? Settings.Resolve(settings, subscription, function.Name) : null,
                        busSettings.Connect(settings, bus.Connection, function.Name),
                        busSettings, runner, console);
                    break;
            }
        }
    }
}
