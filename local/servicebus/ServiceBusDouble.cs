using System.Net;
using System.Net.Sockets;

namespace Payments.Local.ServiceBus;

/// <summary>
/// A double of Azure Service Bus for one process: the unmodified client connects to it over AMQP 1.0 on the loopback
/// address. docs/servicebus-double.md says what it does and where it is only a guess at the service.
/// </summary>
public sealed class ServiceBusDouble : IDisposable, IAsyncDisposable
{
    private const int PortAttempts = 10;

    private readonly Broker _broker;

    private ServiceBusDouble(Broker broker, int port)
    {
        _broker = broker;
        Port = port;
    }

    public int Port { get; }

    /// <summary>Faults to place at sends, settlements and requests.</summary>
    public Faults Faults => _broker.Faults;

    /// <summary>A connection string for the client. The key is no secret: any is accepted.</summary>
    public string ConnectionString =>
        $"Endpoint=sb://localhost:{Port};SharedAccessKeyName=local;SharedAccessKey=local;UseDevelopmentEmulator=true;";

    /// <summary>Starts listening. With a data file, each entity finds its contents again when it is added.</summary>
    /// <exception cref="SocketException">The port is taken.</exception>
    public static ServiceBusDouble Start(ServiceBusDoubleOptions? options = null)
    {
        options ??= new ServiceBusDoubleOptions();
        var broker = new Broker(options);
        try
        {
            options.Entities?.AddTo(broker);
            return new ServiceBusDouble(broker, Listen(broker, options.Port));
        }
        catch
        {
            broker.Dispose();
            throw;
        }
    }

    /// <summary>The name of a queue's, or a subscription's, dead-letter queue.</summary>
    public static string DeadLetterQueueOf(string entity) => entity + "/$deadletterqueue";

    /// <summary>The name of a topic's subscription.</summary>
    public static string SubscriptionOf(string topic, string subscription) => $"{topic}/Subscriptions/{subscription}";

    public void AddQueue(string name, QueueOptions? options = null) => _broker.AddQueue(name, options ?? new QueueOptions());

    /// <summary>Adds a subscription, and its topic if that is new. Every subscription gets every message sent from now on.</summary>
    public void AddSubscription(string topic, string subscription, QueueOptions? options = null) =>
        _broker.AddSubscription(topic, subscription, options ?? new QueueOptions());

    /// <summary>The counts of a queue; <see cref="DeadLetterQueueOf"/> and <see cref="SubscriptionOf"/> name the others.</summary>
    public EntityCounts Counts(string entity) => _broker.Find(entity).Counts;

    /// <summary>Ends all connections at once. Clients come back by themselves; locks stay until they expire.</summary>
    public void DropConnections() => _broker.DropConnections();

    public void Dispose() => _broker.Dispose();

    public ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }

    private static int Listen(Broker broker, int port)
    {
        // The listener cannot tell which port it was given, so a free one is looked up first; another process may be faster.
        for (var attempt = 1; ; attempt++)
        {
            var candidate = port == 0 ? FreePort() : port;
            try
            {
                broker.Listen(candidate);
                return candidate;
            }
            catch (SocketException) when (port == 0 && attempt < PortAttempts)
            {
            }
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
