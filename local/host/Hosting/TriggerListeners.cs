using FunctionsHost.Blobs;
using FunctionsHost.Queues;
using FunctionsHost.ServiceBus;
using FunctionsHost.Storage;
using FunctionsHost.Timers;

namespace FunctionsHost.Hosting;

/// <summary>Makes the listener of each enabled function that no request starts.</summary>
internal sealed class TriggerListeners
{
    private const string HostsContainer = "azure-webjobs-hosts";

    private readonly List<ITriggerListener> _all = [];

    /// <exception cref="InvalidOperationException">A trigger cannot be served as it is set: the message names its function.</exception>
    public TriggerListeners(
        IEnumerable<Function> enabled,
        HostSettings hostSettings,
        HostJson hostJson,
        MessagesInWork work,
        EventRunner runner,
        HostConsole console,
        TimeProvider time)
    {
        var settings = hostSettings.Values;
        var storage = new StorageConnections(settings);
        var hostId = settings["AzureFunctionsWebHost:hostid"] ?? "functionshost";
        var queueSettings = QueueSettings.From(hostJson, Settings.Time(settings, "FunctionsHost:QueueLease", TimeSpan.FromSeconds(30)));
        var blobSettings = BlobSettings.From(hostJson, Settings.Time(settings, "FunctionsHost:BlobPolling", TimeSpan.FromSeconds(1)));
        var byEvent = new List<BlobFunction>();
        foreach (var function in enabled)
        {
            switch (function.TriggerType.ToUpperInvariant())
            {
                case "HTTPTRIGGER":
                    break;
                case "TIMERTRIGGER":
                    _all.Add(new TimerListener(
                        function,
                        Settings.Resolve(settings, Required(function, "schedule"), function.Name),
                        storage.Blobs(null, function.Name).GetBlobContainerClient(HostsContainer),
                        hostId, Settings.Time(settings, "FunctionsHost:TimerPolling", TimeSpan.FromMinutes(1)), runner, console, time));
                    break;
                case "QUEUETRIGGER":
                    var queues = storage.Queues(function.Text("connection"), function.Name);
                    var queue = Settings.Resolve(settings, Required(function, "queueName"), function.Name);
                    _all.Add(new QueueListener(
                        queues.GetQueueClient(queue),
                        QueueListener.PoisonOf(queues, queue),
                        queueSettings,
                        new QueueFunction(function, runner),
                        console, time));
                    break;
                case "BLOBTRIGGER":
                    var connection = function.Text("connection") is { Length: > 0 } name ? name : StorageConnections.Default;
                    var path = BlobPath.Parse(Settings.Resolve(settings, Required(function, "path"), function.Name), function.Name);
                    var hosts = storage.Blobs(null, function.Name).GetBlobContainerClient(HostsContainer);
                    var blobs = new BlobFunction(
                        function,
                        path,
                        connection,
                        storage.Blobs(connection, function.Name).GetBlobContainerClient(path.Container),
                        hosts, hostId, runner);
                    if (IsByEvent(function))
                    {
                        byEvent.Add(blobs);
                        break;
                    }
                    _all.Add(new BlobListener(
                        blobs,
                        hosts.GetBlobClient($"locks/{hostId}/{function.Name}.Listener"),
                        () => storage.Queues(connection, function.Name),
                        blobSettings, console, time));
                    break;
                case "SERVICEBUSTRIGGER":
                    var busSettings = ServiceBusSettings.From(hostJson);
                    _all.Add(new ServiceBusListener(
                        function,
                        Settings.Resolve(settings, function.Text("queueName") ?? Required(function, "topicName"), function.Name),
                        function.Text("subscriptionName") is { } subscription
                            ? Settings.Resolve(settings, subscription, function.Name)
                            : null,
                        busSettings.Connect(settings, function.Text("connection"), function.Name),
                        busSettings, work, runner, console, time));
                    break;
                default:
                    throw new InvalidOperationException(
                        $"Function '{function.Name}' has a trigger of type '{function.TriggerType}', which this host does not serve.");
            }
        }
        if (byEvent.Count > 0)
        {
            BlobEvents = new BlobEvents(
                byEvent, storage.Queues(null, byEvent[0].Function.Name), hostId, queueSettings, blobSettings, console, time);
            _all.Add(BlobEvents);
        }
    }

    public IReadOnlyList<ITriggerListener> All => _all;

    /// <summary>Null where Event Grid starts no function of the app.</summary>
    public BlobEvents? BlobEvents { get; }

    /// <summary>The source is a name or a number, as the worker's generator writes it.</summary>
    private static bool IsByEvent(Function function) => function.Raw("source") is "EventGrid" or "1";

    private static string Required(Function function, string property) => function.Text(property)
        ?? throw new InvalidOperationException($"Function '{function.Name}' does not say its trigger's {property}.");
}
