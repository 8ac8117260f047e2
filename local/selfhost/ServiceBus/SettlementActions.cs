using System.Collections.Concurrent;
using Azure.Messaging.ServiceBus;
using Microsoft.Azure.Functions.Worker;

namespace Payments.SelfHost.ServiceBus;

/// <summary>Settles through the processor, which then leaves the message alone.</summary>
internal sealed class ProcessorActions(ProcessMessageEventArgs args) : ServiceBusMessageActions
{
    public override Task CompleteMessageAsync(ServiceBusReceivedMessage message, CancellationToken cancellationToken = default) =>
        args.CompleteMessageAsync(message, cancellationToken);

    public override Task AbandonMessageAsync(
        ServiceBusReceivedMessage message, IDictionary<string, object>? propertiesToModify = default, CancellationToken cancellationToken = default) =>
        args.AbandonMessageAsync(message, propertiesToModify, cancellationToken);

    public override Task DeadLetterMessageAsync(
        ServiceBusReceivedMessage message,
        Dictionary<string, object>? propertiesToModify = default,
        string? deadLetterReason = default,
        string? deadLetterErrorDescription = default,
        CancellationToken cancellationToken = default) =>
        args.DeadLetterMessageAsync(message, propertiesToModify ?? [], deadLetterReason, deadLetterErrorDescription, cancellationToken);

    public override Task DeferMessageAsync(
        ServiceBusReceivedMessage message, IDictionary<string, object>? propertiesToModify = default, CancellationToken cancellationToken = default) =>
        args.DeferMessageAsync(message, propertiesToModify, cancellationToken);

    public override Task RenewMessageLockAsync(ServiceBusReceivedMessage message, CancellationToken cancellationToken = default) =>
        args.RenewMessageLockAsync(message, cancellationToken);
}

/// <inheritdoc cref="ProcessorActions"/>
internal sealed class SessionProcessorActions(ProcessSessionMessageEventArgs args) : ServiceBusMessageActions
{
    public override Task CompleteMessageAsync(ServiceBusReceivedMessage message, CancellationToken cancellationToken = default) =>
        args.CompleteMessageAsync(message, cancellationToken);

    public override Task AbandonMessageAsync(
        ServiceBusReceivedMessage message, IDictionary<string, object>? propertiesToModify = default, CancellationToken cancellationToken = default) =>
        args.AbandonMessageAsync(message, propertiesToModify, cancellationToken);

    public override Task DeadLetterMessageAsync(
        ServiceBusReceivedMessage message,
        Dictionary<string, object>? propertiesToModify = default,
        string? deadLetterReason = default,
        string? deadLetterErrorDescription = default,
        CancellationToken cancellationToken = default) =>
        args.DeadLetterMessageAsync(message, propertiesToModify ?? [], deadLetterReason, deadLetterErrorDescription, cancellationToken);

    public override Task DeferMessageAsync(
        ServiceBusReceivedMessage message, IDictionary<string, object>? propertiesToModify = default, CancellationToken cancellationToken = default) =>
        args.DeferMessageAsync(message, propertiesToModify, cancellationToken);

    /// <summary>Messages of a session share the session's lock.</summary>
    public override Task RenewMessageLockAsync(ServiceBusReceivedMessage message, CancellationToken cancellationToken = default) =>
        args.RenewSessionLockAsync(cancellationToken);
}

/// <summary>Handles the session that the processor holds.</summary>
internal sealed class SessionActions(ProcessSessionMessageEventArgs args) : ServiceBusSessionMessageActions
{
    public override DateTimeOffset SessionLockedUntil => args.SessionLockedUntil;

    public override Task<BinaryData> GetSessionStateAsync(CancellationToken cancellationToken = default) => args.GetSessionStateAsync(cancellationToken);

    public override Task SetSessionStateAsync(BinaryData sessionState, CancellationToken cancellationToken = default) =>
        args.SetSessionStateAsync(sessionState, cancellationToken);

    public override Task ReleaseSession(CancellationToken cancellationToken = default)
    {
        args.ReleaseSession();
        return Task.CompletedTask;
    }

    public override Task RenewSessionLockAsync(CancellationToken cancellationToken = default) => args.RenewSessionLockAsync(cancellationToken);
}

/// <summary>Settles messages of a batch, and remembers which, so that they are not settled again after it.</summary>
internal sealed class ReceiverActions(ServiceBusReceiver receiver) : ServiceBusMessageActions
{
    private readonly ConcurrentDictionary<string, bool> _settled = new(StringComparer.Ordinal);

    public bool IsSettled(ServiceBusReceivedMessage message) => _settled.ContainsKey(message.LockToken);

    public override Task CompleteMessageAsync(ServiceBusReceivedMessage message, CancellationToken cancellationToken = default) =>
        SettleAsync(message, receiver.CompleteMessageAsync(message, cancellationToken));

    public override Task AbandonMessageAsync(
        ServiceBusReceivedMessage message, IDictionary<string, object>? propertiesToModify = default, CancellationToken cancellationToken = default) =>
        SettleAsync(message, receiver.AbandonMessageAsync(message, propertiesToModify, cancellationToken));

    public override Task DeadLetterMessageAsync(
        ServiceBusReceivedMessage message,
        Dictionary<string, object>? propertiesToModify = default,
        string? deadLetterReason = default,
        string? deadLetterErrorDescription = default,
        CancellationToken cancellationToken = default) =>
        SettleAsync(message, receiver.DeadLetterMessageAsync(message, propertiesToModify ?? [], deadLetterReason, deadLetterErrorDescription, cancellationToken));

    public override Task DeferMessageAsync(
        ServiceBusReceivedMessage message, IDictionary<string, object>? propertiesToModify = default, CancellationToken cancellationToken = default) =>
        SettleAsync(message, receiver.DeferMessageAsync(message, propertiesToModify, cancellationToken));

    public override Task RenewMessageLockAsync(ServiceBusReceivedMessage message, CancellationToken cancellationToken = default) =>
        receiver.RenewMessageLockAsync(message, cancellationToken);

    private async Task SettleAsync(ServiceBusReceivedMessage message, Task settling)
    {
        await settling;
        _settled[message.LockToken] = true;
    }
}

/// <summary>Handles the session that a batch came from.</summary>
internal sealed class ReceiverSessionActions(ServiceBusSessionReceiver receiver) : ServiceBusSessionMessageActions
{
    public bool Released { get; private set; }

    public override DateTimeOffset SessionLockedUntil => receiver.SessionLockedUntil;

    public override Task<BinaryData> GetSessionStateAsync(CancellationToken cancellationToken = default) => receiver.GetSessionStateAsync(cancellationToken);

    public override Task SetSessionStateAsync(BinaryData sessionState, CancellationToken cancellationToken = default) =>
        receiver.SetSessionStateAsync(sessionState, cancellationToken);

    /// <summary>The session is given up once the batch has ended.</summary>
    public override Task ReleaseSession(CancellationToken cancellationToken = default)
    {
        Released = true;
        return Task.CompletedTask;
    }

    public override Task RenewSessionLockAsync(CancellationToken cancellationToken = default) => receiver.RenewSessionLockAsync(cancellationToken);
}
