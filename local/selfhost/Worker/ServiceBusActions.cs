using Azure.Messaging.ServiceBus;

namespace Microsoft.Azure.Functions.Worker;

/// <summary>Settles the messages of a Service Bus trigger whose function does so itself.</summary>
public class ServiceBusMessageActions
{
    protected ServiceBusMessageActions()
    {
    }

    public virtual Task CompleteMessageAsync(ServiceBusReceivedMessage message, CancellationToken cancellationToken = default) =>
        throw new InvalidOperationException(NotReceiving);

    public virtual Task AbandonMessageAsync(
        ServiceBusReceivedMessage message, IDictionary<string, object>? propertiesToModify = default, CancellationToken cancellationToken = default) =>
        throw new InvalidOperationException(NotReceiving);

    public virtual Task DeadLetterMessageAsync(
        ServiceBusReceivedMessage message,
        Dictionary<string, object>? propertiesToModify = default,
        string? deadLetterReason = default,
        string? deadLetterErrorDescription = default,
        CancellationToken cancellationToken = default) =>
        throw new InvalidOperationException(NotReceiving);

    public virtual Task DeferMessageAsync(
        ServiceBusReceivedMessage message, IDictionary<string, object>? propertiesToModify = default, CancellationToken cancellationToken = default) =>
        throw new InvalidOperationException(NotReceiving);

    public virtual Task RenewMessageLockAsync(ServiceBusReceivedMessage message, CancellationToken cancellationToken = default) =>
        throw new InvalidOperationException(NotReceiving);

    internal const string NotReceiving = "These actions belong to no receiver: a test double overrides what it needs.";
}

/// <summary>Handles the session that the messages of a trigger belong to.</summary>
public class ServiceBusSessionMessageActions
{
    protected ServiceBusSessionMessageActions()
    {
    }

    public virtual DateTimeOffset SessionLockedUntil { get; protected set; }

    public virtual Task<BinaryData> GetSessionStateAsync(CancellationToken cancellationToken = default) =>
        throw new InvalidOperationException(ServiceBusMessageActions.NotReceiving);

    public virtual Task SetSessionStateAsync(BinaryData sessionState, CancellationToken cancellationToken = default) =>
        throw new InvalidOperationException(ServiceBusMessageActions.NotReceiving);

    public virtual Task ReleaseSession(CancellationToken cancellationToken = default) =>
        throw new InvalidOperationException(ServiceBusMessageActions.NotReceiving);

    public virtual Task RenewSessionLockAsync(CancellationToken cancellationToken = default) =>
        throw new InvalidOperationException(ServiceBusMessageActions.NotReceiving);
}
