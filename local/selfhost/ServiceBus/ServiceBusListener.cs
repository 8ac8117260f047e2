using System.Globalization;
using System.Text.Json;
using Azure.Messaging.ServiceBus;
using Microsoft.Azure.Functions.Worker;
using Payments.SelfHost.Hosting;

namespace Payments.SelfHost.ServiceBus;

/// <summary>
/// Runs a function for each message of a queue or subscription, or for batches of them, at least once. A message is
/// completed when its function ends well, where that is automatic, and abandoned when it fails.
/// </summary>
internal sealed class ServiceBusListener(
    FunctionDescriptor function,
    string entity,
    string? subscription,
    ServiceBusClient client,
    ServiceBusSettings settings,
    EventRunner runner,
    HostConsole console) : ITriggerListener
{
    private readonly ServiceBusTriggerAttribute _trigger = (ServiceBusTriggerAttribute)function.Trigger;
    private readonly bool _autoComplete = settings.AutoCompletes(function);
    private string? _lastError;

    public async Task RunAsync(CancellationToken stopping, CancellationToken abandoning)
    {
        await using (client)
        {
            if (_trigger.IsBatched)
                await RunBatchesAsync(stopping, abandoning);
            else if (_trigger.IsSessionsEnabled)
                await ProcessSessionsAsync(stopping, abandoning);
            else
                await ProcessMessagesAsync(stopping, abandoning);
        }
    }

    private async Task ProcessMessagesAsync(CancellationToken stopping, CancellationToken abandoning)
    {
        var options = new ServiceBusProcessorOptions
        {
            AutoCompleteMessages = _autoComplete,
            MaxAutoLockRenewalDuration = settings.MaxAutoLockRenewalDuration,
            MaxConcurrentCalls = settings.MaxConcurrentCalls,
            PrefetchCount = settings.PrefetchCount,
        };
        await using var processor = subscription is null
            ? client.CreateProcessor(entity, options)
            : client.CreateProcessor(entity, subscription, options);
        // The processor's own token trips as soon as it stops; a function that runs then is to end in its own time.
        processor.ProcessMessageAsync += args => RunAsync(
            new ServiceBusInput([args.Message], IsBatch: false, new ProcessorActions(args), null), args.Message, abandoning);
        processor.ProcessErrorAsync += TellAsync;
        await processor.StartProcessingAsync(stopping);
        await Task.Delay(Timeout.Infinite, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await processor.StopProcessingAsync(abandoning);
    }

    private async Task ProcessSessionsAsync(CancellationToken stopping, CancellationToken abandoning)
    {
        var options = new ServiceBusSessionProcessorOptions
        {
            AutoCompleteMessages = _autoComplete,
            MaxAutoLockRenewalDuration = settings.MaxAutoLockRenewalDuration,
            MaxConcurrentSessions = settings.MaxConcurrentSessions,
            MaxConcurrentCallsPerSession = settings.MaxConcurrentCallsPerSession,
            SessionIdleTimeout = settings.SessionIdleTimeout,
            PrefetchCount = settings.PrefetchCount,
        };
        await using var processor = subscription is null
            ? client.CreateSessionProcessor(entity, options)
            : client.CreateSessionProcessor(entity, subscription, options);
        processor.ProcessMessageAsync += args => RunAsync(
            new ServiceBusInput([args.Message], IsBatch: false, new SessionProcessorActions(args), new SessionActions(args)), args.Message, abandoning);
        processor.ProcessErrorAsync += TellAsync;
        await processor.StartProcessingAsync(stopping);
        await Task.Delay(Timeout.Infinite, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await processor.StopProcessingAsync(abandoning);
    }

    /// <summary>Runs the function; its failure is thrown, which makes the processor abandon the message.</summary>
    private async Task RunAsync(ServiceBusInput input, ServiceBusReceivedMessage message, CancellationToken abandoning)
    {
        var trace = message.ApplicationProperties.TryGetValue("Diagnostic-Id", out var parent) && parent is string text
            ? new KnownTraceContext(text, "")
            : null;
        if (await runner.RunAsync(function, input, DataOf(message), abandoning, trace: trace) is { } failure)
            throw new FunctionFailedException(failure);
    }

    private async Task RunBatchesAsync(CancellationToken stopping, CancellationToken abandoning)
    {
        var loops = _trigger.IsSessionsEnabled
            ? Enumerable.Range(0, settings.MaxConcurrentSessions).Select(_ => ReadSessionsAsync(stopping, abandoning))
            : [ReadQueueAsync(stopping, abandoning)];
        await Task.WhenAll(loops);
    }

    private async Task ReadQueueAsync(CancellationToken stopping, CancellationToken abandoning)
    {
        var options = new ServiceBusReceiverOptions { PrefetchCount = settings.PrefetchCount };
        await using var receiver = subscription is null
            ? client.CreateReceiver(entity, options)
            : client.CreateReceiver(entity, subscription, options);
        while (!stopping.IsCancellationRequested)
            await TellingAsync(() => ReadBatchAsync(receiver, null, null, stopping, abandoning), stopping);
    }

    private async Task ReadSessionsAsync(CancellationToken stopping, CancellationToken abandoning)
    {
        while (!stopping.IsCancellationRequested)
        {
            await TellingAsync(
                async () =>
                {
                    var options = new ServiceBusSessionReceiverOptions { PrefetchCount = settings.PrefetchCount };
                    await using var receiver = subscription is null
                        ? await client.AcceptNextSessionAsync(entity, options, stopping)
                        : await client.AcceptNextSessionAsync(entity, subscription, options, stopping);
                    var actions = new ReceiverSessionActions(receiver);
                    var idle = settings.SessionIdleTimeout ?? settings.Retry.TryTimeout;
                    while (!stopping.IsCancellationRequested && !actions.Released && await ReadBatchAsync(receiver, actions, idle, stopping, abandoning))
                    {
                        // The session goes on for as long as it has messages.
                    }
                },
                stopping);
        }
    }

    /// <summary>Receives a batch and runs the function on it. False when there was nothing to receive.</summary>
    private async Task<bool> ReadBatchAsync(
        ServiceBusReceiver receiver, ServiceBusSessionMessageActions? sessionActions, TimeSpan? patience, CancellationToken stopping, CancellationToken abandoning)
    {
        var messages = new List<ServiceBusReceivedMessage>(await receiver.ReceiveMessagesAsync(settings.MaxMessageBatchSize, patience, stopping));
        if (messages.Count == 0)
            return false;
        var start = TimeProvider.System.GetTimestamp();
        while (messages.Count < settings.MinMessageBatchSize && settings.MaxBatchWaitTime - TimeProvider.System.GetElapsedTime(start) is { } left && left > TimeSpan.Zero)
        {
            try
            {
                messages.AddRange(await receiver.ReceiveMessagesAsync(settings.MaxMessageBatchSize - messages.Count, left, stopping));
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                break;
            }
        }
        var actions = new ReceiverActions(receiver);
        var failure = await runner.RunAsync(function, new ServiceBusInput(messages, IsBatch: true, actions, sessionActions), DataOf(messages), abandoning);
        // Side by side, as on the platform: an answer for each would otherwise be waited for in turn.
        await Task.WhenAll(messages.Where(message => !actions.IsSettled(message)).Select(message =>
            failure is not null ? receiver.AbandonMessageAsync(message, cancellationToken: CancellationToken.None)
            : _autoComplete ? receiver.CompleteMessageAsync(message, CancellationToken.None)
            : Task.CompletedTask));
        return true;
    }

    private async Task TellingAsync(Func<Task> read, CancellationToken stopping)
    {
        try
        {
            await read();
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Stopped while it waited for messages.
        }
        catch (ServiceBusException e) when (e.Reason == ServiceBusFailureReason.ServiceTimeout)
        {
            // No session has messages.
        }
#pragma warning disable CA1031 // Not only ServiceBusException: what the client makes of a lost connection may be a bare TimeoutException, and no error ends a listener.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Tell(e);
            await Task.Delay(settings.Retry.Delay, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private Task TellAsync(ProcessErrorEventArgs error)
    {
        // The executor told of the function's own failure already.
        if (error.Exception is not FunctionFailedException)
            Tell(error.Exception);
        return Task.CompletedTask;
    }

    private void Tell(Exception e)
    {
        if (Interlocked.Exchange(ref _lastError, e.Message) != e.Message)
            console.Line($"Service Bus entity '{entity}' of function '{function.Name}': {e.Message.Split('\n')[0]}");
    }

    private static Dictionary<string, object?> DataOf(ServiceBusReceivedMessage message)
    {
        var data = new Dictionary<string, object?>(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, value) in ValuesOf(message))
            data[name] = value is DateTimeOffset or IDictionary<string, object> ? JsonSerializer.Serialize(value) : Convert.ToString(value, CultureInfo.InvariantCulture);
        return data;
    }

    private static Dictionary<string, object?> DataOf(List<ServiceBusReceivedMessage> messages)
    {
        var data = new Dictionary<string, object?>(StringComparer.OrdinalIgnoreCase);
        foreach (var group in messages.SelectMany(ValuesOf).GroupBy(pair => pair.Name, pair => pair.Value))
            data[group.Key + "Array"] = JsonSerializer.Serialize(group);
        return data;
    }

    private static IEnumerable<(string Name, object? Value)> ValuesOf(ServiceBusReceivedMessage message) =>
    [
        ("MessageId", message.MessageId),
        ("DeliveryCount", message.DeliveryCount),
        ("SequenceNumber", message.SequenceNumber),
        ("EnqueuedTimeUtc", message.EnqueuedTime),
        ("ExpiresAtUtc", message.ExpiresAt),
        ("CorrelationId", message.CorrelationId),
        ("ContentType", message.ContentType),
        ("ReplyTo", message.ReplyTo),
        ("To", message.To),
        ("Subject", message.Subject),
        ("SessionId", message.SessionId),
        ("DeadLetterSource", message.DeadLetterSource),
        ("LockToken", message.LockToken),
        ("ApplicationProperties", message.ApplicationProperties.ToDictionary(pair => pair.Key, pair => pair.Value)),
    ];

    /// <summary>Carries a function's failure through the processor, which only needs to know that there was one.</summary>
    private sealed class FunctionFailedException(Exception failure) : Exception(failure.Message, failure);
}
