using System.Collections.Concurrent;
using System.Net;
using Microsoft.Azure.Amqp;
using Microsoft.Azure.Amqp.Framing;
using Microsoft.Azure.Amqp.Sasl;
using Microsoft.Azure.Amqp.Transport;

namespace Payments.Local.ServiceBus;

/// <summary>The AMQP side: accepts connections, and leads each link to the entity, topic or request node its address names.</summary>
internal sealed class Broker : IRuntimeProvider, IDisposable
{
    private const string TokenNode = "$cbs";
    private const string ManagementSuffix = "/$management";

    /// <summary>The only SASL mechanism that the client offers. The identity comes later, as a token.</summary>
    private const string SaslMechanism = "MSSBCBS";

    private readonly ConcurrentDictionary<string, Entity> _entities = new(StringComparer.OrdinalIgnoreCase);
    private readonly ConcurrentDictionary<string, Entity[]> _topics = new(StringComparer.OrdinalIgnoreCase);
    private readonly ConcurrentDictionary<AmqpConnection, byte> _connections = new();
    private readonly RequestNode _requests = new();
    private readonly ServiceBusDoubleOptions _options;
    private readonly AppendLog? _log;
    private AmqpConnectionListener? _listener;
    private volatile bool _closed;

    public Broker(ServiceBusDoubleOptions options)
    {
        _options = options;
        _log = options.DataFile is { } path ? AppendLog.Open(path) : null;
    }

    public Faults Faults { get; } = new();

    /// <exception cref="System.Net.Sockets.SocketException">The port is taken; another may be tried.</exception>
    public void Listen(int port)
    {
        var version = new AmqpVersion(1, 0, 0);
        var sasl = new SaslTransportProvider();
        sasl.Versions.Add(version);
        sasl.AddHandler(new SaslAnonymousHandler(SaslMechanism));
        var settings = new AmqpSettings { RuntimeProvider = this };
        if (_options.Certificate is { } certificate)
        {
            var tls = new TlsTransportProvider(new TlsTransportSettings(new TcpTransportSettings(), false) { Certificate = certificate });
            tls.Versions.Add(version);
            settings.TransportProviders.Add(tls);
        }
        settings.TransportProviders.Add(sasl);
        var listener = new AmqpConnectionListener(
            [$"{(_options.Certificate is null ? "amqp" : "amqps")}://{IPAddress.Loopback}:{port}"],
            settings,
            new AmqpConnectionSettings { ContainerId = "payments-service-bus-double", MaxFrameSize = 65_536, IdleTimeOut = 240_000 });
        listener.Open();
        _listener = listener;
    }

    public void AddQueue(string name, QueueOptions options)
    {
        var deadLetters = new Entity(ServiceBusDouble.DeadLetterQueueOf(name),
            new QueueOptions { LockDuration = options.LockDuration, MaxDeliveryCount = int.MaxValue },
            deadLetters: null, _options.Time, _log, Faults);
        var queue = new Entity(name, options, deadLetters, _options.Time, _log, Faults);
        if (!_entities.TryAdd(deadLetters.Name, deadLetters) || !_entities.TryAdd(name, queue))
            throw new ArgumentException($"The entity '{name}' exists.", nameof(name));
    }

    public void AddSubscription(string topic, string subscription, QueueOptions options)
    {
        var name = ServiceBusDouble.SubscriptionOf(topic, subscription);
        AddQueue(name, options);
        _topics.AddOrUpdate(topic, [_entities[name]], (_, others) => [.. others, _entities[name]]);
    }

    public Entity Find(string name) =>
        _entities.TryGetValue(name, out var entity) ? entity : throw BusErrors.EntityNotFound(name);

    public void DropConnections()
    {
        foreach (var connection in _connections.Keys)
            Drop(connection);
    }

    public static void Drop(AmqpConnection connection)
    {
        if (connection.State == AmqpObjectState.Opened)
            connection.SafeClose(new AmqpException(AmqpErrorCode.ConnectionForced, "The connection was dropped."));
        else
            connection.Abort();
    }

    public void Dispose()
    {
        _closed = true;
        _listener?.Close();
        DropConnections();
        foreach (var entity in _entities.Values)
            entity.Dispose();
        _log?.Dispose();
    }

    public AmqpConnection CreateConnection(
        TransportBase transport, ProtocolHeader header, bool isInitiator, AmqpSettings settings, AmqpConnectionSettings connectionSettings)
    {
        var connection = new AmqpConnection(transport, header, false, settings, connectionSettings);
        _connections[connection] = 0;
        connection.Closed += (_, _) => _connections.TryRemove(connection, out byte _);
        // It was accepted before the listener closed, and would be served by nobody: its client would wait for messages for good.
        if (_closed)
            connection.Abort();
        return connection;
    }

    public AmqpSession CreateSession(AmqpConnection connection, AmqpSessionSettings settings) => new(connection, settings, this);

    public AmqpLink CreateLink(AmqpSession session, AmqpLinkSettings settings)
    {
        if (settings.Role == false)
            return new SendingAmqpLink(session, settings);
        // The client sizes its batches by this, and does not look whether it is set.
        settings.MaxMessageSize = (ulong)_options.MaxMessageSize;
        return new ReceivingAmqpLink(session, settings);
    }

    public IAsyncResult BeginOpenLink(AmqpLink link, TimeSpan timeout, AsyncCallback callback, object state) =>
        TaskToAsyncResult.Begin(OpenLinkAsync(link), callback, state);

    public void EndOpenLink(IAsyncResult result) => TaskToAsyncResult.End(result);

    private async Task OpenLinkAsync(AmqpLink link)
    {
        if (link.IsReceiver && link.Settings.Target is not Target)
            throw BusErrors.NotImplemented("The double has no transactions.");
        var terminus = link.IsReceiver ? ((Target)link.Settings.Target).Address : ((Source)link.Settings.Source).Address;
        var address = terminus?.ToString()?.TrimStart('/') ?? "";
        if (address == TokenNode)
        {
            _requests.Open(link, ReplyNames.Tokens, request => Task.FromResult<Reply?>(PutToken(request)));
        }
        else if (address.EndsWith(ManagementSuffix, StringComparison.OrdinalIgnoreCase))
        {
            var entity = Find(address[..^ManagementSuffix.Length]);
            _requests.Open(link, ReplyNames.Management, request => ManageAsync(link.Session.Connection, entity, request));
        }
        else if (link is ReceivingAmqpLink sends)
        {
            var targets = TargetsOf(address);
            sends.RegisterMessageListener(transfer => _ = OnTransferAsync(sends, address, targets, transfer));
        }
        else
        {
            await Find(address).AttachAsync((SendingAmqpLink)link);
        }
    }

    private Func<Entity[]> TargetsOf(string address)
    {
        // Looked up at each send: subscriptions may be added while a sender is open.
        if (_topics.TryGetValue(address, out var subscriptions))
            return () => _topics.GetValueOrDefault(address, subscriptions);
        Entity[] queue = [Find(address)];
        return () => queue;
    }

    private async Task OnTransferAsync(ReceivingAmqpLink link, string address, Func<Entity[]> targets, AmqpMessage transfer)
    {
        var connection = link.Session.Connection;
        try
        {
            var fault = Faults.Take(address, BusOperation.Send);
            if (fault.Delay > TimeSpan.Zero)
                await Task.Delay(fault.Delay, _options.Time);
            if (fault.Kind == FaultKind.DropConnection)
                Drop(connection);
            // What arrives after our close is not ours to keep: the client never gets an answer, and sends it again.
            if (_closed || link.IsClosing() || connection.IsClosing())
                return;
            if (fault.Kind == FaultKind.Reject)
            {
                link.DisposeMessage(transfer, new Rejected { Error = fault.ToError() }, true, false);
                return;
            }
            var messages = MessageCodec.Split(transfer);
            foreach (var entity in targets())
                entity.Enqueue(messages);
            if (fault.Kind == FaultKind.LoseAcknowledgement)
                Drop(connection);
            else
                link.AcceptMessage(transfer, true, transfer.Batchable);
        }
        catch (Exception refusal)
        {
            // Refusals and bugs alike go to the sender: a transfer without an answer would only time out.
            link.DisposeMessage(transfer, new Rejected { Error = Error.FromException(refusal) }, true, false);
        }
        finally
        {
            transfer.Dispose();
        }
    }

    private async Task<Reply?> ManageAsync(AmqpConnection connection, Entity entity, AmqpMessage request)
    {
        var fault = Faults.Take(entity.Name, BusOperation.Manage);
        if (fault.Delay > TimeSpan.Zero)
            await Task.Delay(fault.Delay, _options.Time);
        if (fault.Kind == FaultKind.Reject)
            return Reply.Refused(fault.ToError());
        if (fault.Kind == FaultKind.DropConnection)
            Drop(connection);
        if (_closed || connection.IsClosing())
            return null;
        var reply = Management.Handle(entity, request);
        if (fault.Kind != FaultKind.LoseAcknowledgement)
            return reply;
        Drop(connection);
        return null;
    }

    private Reply PutToken(AmqpMessage request)
    {
        var audience = (string)request.ApplicationProperties.Map["name"];
        var token = (string)request.ValueBody.Value;
        return _options.Authorize is { } authorize && !authorize(audience, token)
            ? new Reply(401, "The token is not valid for this audience.")
            : new Reply(202, "Accepted");
    }
}
