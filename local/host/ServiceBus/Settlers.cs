using System.Collections.Concurrent;
using Azure.Messaging.ServiceBus;

namespace FunctionsHost.ServiceBus;

/// <summary>Settles through the processor, which then leaves the message alone.</summary>
internal sealed class ProcessorSettler(ProcessMessageEventArgs args) : IMessageSettler
{
    public Task CompleteAsync(ServiceBusReceivedMessage message, CancellationToken cancellation) =>
        args.CompleteMessageAsync(message, cancellation);

    public Task AbandonAsync(ServiceBusReceivedMessage message, IDictionary<string, object>? properties, CancellationToken cancellation) =>
        args.AbandonMessageAsync(message, properties, cancellation);

    public Task DeadLetterAsync(
        ServiceBusReceivedMessage message,
        Dictionary<string, object> properties,
        string? reason,
        string? description,
        CancellationToken cancellation) =>
        args.DeadLetterMessageAsync(message, properties, reason, description, cancellation);

    public Task DeferAsync(ServiceBusReceivedMessage message, IDictionary<string, object>? properties, CancellationToken cancellation) =>
        args.DeferMessageAsync(message, properties, cancellation);

    public Task RenewLockAsync(ServiceBusReceivedMessage message, CancellationToken cancellation) =>
        args.RenewMessageLockAsync(message, cancellation);
}

/// <inheritdoc cref="ProcessorSettler"/>
internal sealed class SessionProcessorSettler(ProcessSessionMessageEventArgs args) : IMessageSettler, ISessionActions
{
    public DateTimeOffset LockedUntil => args.SessionLockedUntil;

    public Task CompleteAsync(ServiceBusReceivedMessage message, CancellationToken cancellation) =>
        args.CompleteMessageAsync(message, cancellation);

    public Task AbandonAsync(ServiceBusReceivedMessage message, IDictionary<string, object>? properties, CancellationToken cancellation) =>
        args.AbandonMessageAsync(message, properties, cancellation);

    public Task DeadLetterAsync(
        ServiceBusReceivedMessage message,
        Dictionary<string, object> properties,
        string? reason,
        string? description,
        CancellationToken cancellation) =>
        args.DeadLetterMessageAsync(message, properties, reason, description, cancellation);

    public Task DeferAsync(ServiceBusReceivedMessage message, IDictionary<string, object>? properties, CancellationToken cancellation) =>
        args.DeferMessageAsync(message, properties, cancellation);

    /// <summary>Messages of a session share the session's lock.</summary>
    public Task RenewLockAsync(ServiceBusReceivedMessage message, CancellationToken cancellation) =>
        args.RenewSessionLockAsync(cancellation);

    public Task<BinaryData> GetStateAsync(CancellationToken cancellation) => args.GetSessionStateAsync(cancellation);

    public Task SetStateAsync(BinaryData state, CancellationToken cancellation) => args.SetSessionStateAsync(state, cancellation);

    public void Release() => args.ReleaseSession();

    public Task RenewLockAsync(CancellationToken cancellation) => args.RenewSessionLockAsync(cancellation);
}

/// <summary>Settles messages of a batch, and remembers which, so that they are not settled again after it.</summary>
internal sealed class ReceiverSettler(ServiceBusReceiver receiver) : IMessageSettler
{
    private readonly ConcurrentDictionary<string, bool> _settled = new(StringComparer.Ordinal);

    public bool IsSettled(ServiceBusReceivedMessage message) => _settled.ContainsKey(message.LockToken);

    public Task CompleteAsync(ServiceBusReceivedMessage message, CancellationToken cancellation) =>
        SettleAsync(message, receiver.CompleteMessageAsync(message, cancellation));

    public Task AbandonAsync(ServiceBusReceivedMessage message, IDictionary<string, object>? properties, CancellationToken cancellation) =>
        SettleAsync(message, receiver.AbandonMessageAsync(message, properties, cancellation));

    public Task DeadLetterAsync(
        ServiceBusReceivedMessage message,
        Dictionary<string, object> properties,
        string? reason,
        string? description,
        CancellationToken cancellation) =>
        SettleAsync(message, receiver.DeadLetterMessageAsync(message, properties, reason, description, cancellation));

    public Task DeferAsync(ServiceBusReceivedMessage message, IDictionary<string, object>? properties, CancellationToken cancellation) =>
        SettleAsync(message, receiver.DeferMessageAsync(message, properties, cancellation));

    public Task RenewLockAsync(ServiceBusReceivedMessage message, CancellationToken cancellation) =>
        receiver.RenewMessageLockAsync(message, cancellation);

    private async Task SettleAsync(ServiceBusReceivedMessage message, Task settling)
    {
        await settling;
        _settled[message.LockToken] = true;
    }
}

/// <summary>Handles the session that a batch came from.</summary>
internal sealed class ReceiverSession(ServiceBusSessionReceiver receiver) : ISessionActions
{
    /// <summary>The session is given up once the batch has ended.</summary>
    public bool Released { get; private set; }

    public DateTimeOffset LockedUntil => receiver.SessionLockedUntil;

    public Task<BinaryData> GetStateAsync(CancellationToken cancellation) => receiver.GetSessionStateAsync(cancellation);

    public Task SetStateAsync(BinaryData state, CancellationToken cancellation) => receiver.SetSessionStateAsync(state, cancellation);

    public void Release() => Released = true;

    public Task RenewLockAsync(CancellationToken cancellation) => receiver.RenewSessionLockAsync(cancellation);
}
