using Azure.Messaging.ServiceBus;
using FunctionsHost.Hosting;
using FunctionsHost.Protocol;
using Google.Protobuf;

namespace FunctionsHost.ServiceBus;

/// <summary>
/// Runs a function for each message of a queue or subscription, or for batches of them, at least once. A message is
/// completed when its function ends well, where that is automatic, and abandoned when it fails.
/// </summary>
internal sealed class ServiceBusListener(
    Function function,
    string entity,
    string? subscription,
    ServiceBusClient client,
    ServiceBusSettings settings,
    MessagesInWork work,
    EventRunner runner,
    HostConsole console,
    TimeProvider time) : ITriggerListener
{
    private const int LockTokenLength = 16;

    private readonly bool _isBatched = string.Equals(function.Text("cardinality"), "Many", StringComparison.OrdinalIgnoreCase);
    private readonly bool _hasSessions = function.Flag("isSessionsEnabled") is true;
    private readonly bool _autoComplete = settings.AutoCompletes(function);
    private string? _lastError;

    public async Task RunAsync(CancellationToken stopping, CancellationToken abandoning)
    {
        await using (client)
        {
            if (_isBatched)
                await RunBatchesAsync(stopping, abandoning);
            else if (_hasSessions)
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
        processor.ProcessMessageAsync += args => RunAsync(args.Message, new ProcessorSettler(args), null, abandoning);
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
        processor.ProcessMessageAsync += args =>
        {
            var settler = new SessionProcessorSettler(args);
            return RunAsync(args.Message, settler, settler, abandoning);
        };
        processor.ProcessErrorAsync += TellAsync;
        await processor.StartProcessingAsync(stopping);
        await Task.Delay(Timeout.Infinite, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await processor.StopProcessingAsync(abandoning);
    }

    /// <summary>Runs the function; its failure is thrown, which makes the processor abandon the message.</summary>
    private async Task RunAsync(
        ServiceBusReceivedMessage message, IMessageSettler settler, ISessionActions? session, CancellationToken abandoning)
    {
        if (!await RunAsync([message], DataOf(message, session), settler, session, abandoning))
            throw new FunctionFailedException(function.Name);
    }

    private async Task<bool> RunAsync(
        IReadOnlyList<ServiceBusReceivedMessage> messages,
        TriggerData data,
        IMessageSettler settler,
        ISessionActions? session,
        CancellationToken abandoning)
    {
        work.Add(messages, settler, session);
        try
        {
            return await runner.RunAsync(function, data, abandoning);
        }
        finally
        {
            work.Remove(messages, session);
        }
    }

    private async Task RunBatchesAsync(CancellationToken stopping, CancellationToken abandoning)
    {
        var loops = _hasSessions
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
                    var session = new ReceiverSession(receiver);
                    var idle = settings.SessionIdleTimeout ?? settings.Retry.TryTimeout;
                    while (!stopping.IsCancellationRequested && !session.Released
                        && await ReadBatchAsync(receiver, session, idle, stopping, abandoning))
                    {
                        // The session goes on for as long as it has messages.
                    }
                },
                stopping);
        }
    }

    /// <summary>Receives a batch and runs the function on it. False when there was nothing to receive.</summary>
    private async Task<bool> ReadBatchAsync(
        ServiceBusReceiver receiver, ReceiverSession? session, TimeSpan? patience, CancellationToken stopping, CancellationToken abandoning)
    {
        var messages = new List<ServiceBusReceivedMessage>(
            await receiver.ReceiveMessagesAsync(settings.MaxMessageBatchSize, patience, stopping));
        if (messages.Count == 0)
            return false;
        var start = time.GetTimestamp();
        while (messages.Count < settings.MinMessageBatchSize && settings.MaxBatchWaitTime - time.GetElapsedTime(start) is { } left
            && left > TimeSpan.Zero)
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
        var settler = new ReceiverSettler(receiver);
        var succeeded = await RunAsync(messages, DataOf(messages, session), settler, session, abandoning);
        // Side by side, as on the platform: an answer for each would otherwise be waited for in turn.
        await Task.WhenAll(messages.Where(message => !settler.IsSettled(message)).Select(message =>
            !succeeded ? receiver.AbandonMessageAsync(message, cancellationToken: CancellationToken.None)
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
#pragma warning disable CA1031 // The client can throw a bare TimeoutException when a connection is lost. No error ends a listener.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Tell(e);
            await Task.Delay(settings.Retry.Delay, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private Task TellAsync(ProcessErrorEventArgs error)
    {
        // The function's own failure has been printed already.
        if (error.Exception is not FunctionFailedException)
            Tell(error.Exception);
        return Task.CompletedTask;
    }

    private void Tell(Exception e)
    {
        if (Interlocked.Exchange(ref _lastError, e.Message) != e.Message)
            console.Line($"Service Bus entity '{entity}' of function '{function.Name}': {e.Message.Split('\n')[0]}");
    }

    private TriggerData DataOf(ServiceBusReceivedMessage message, ISessionActions? session)
    {
        var data = new TriggerData
        {
            Input = function.IsDeferred
                ? new TypedData { ModelBindingData = ModelOf(message) }
                : TriggerData.TextOf(function, message.Body),
            Trace = TraceOf(message),
        };
        data.Add("MessageId", message.MessageId);
        data.AddJson("DeliveryCount", message.DeliveryCount);
        data.AddJson("SequenceNumber", message.SequenceNumber);
        data.AddJson("EnqueuedTimeUtc", message.EnqueuedTime.UtcDateTime);
        data.AddJson("ExpiresAtUtc", message.ExpiresAt.UtcDateTime);
        data.Add("CorrelationId", message.CorrelationId);
        data.Add("ContentType", message.ContentType);
        data.Add("ReplyTo", message.ReplyTo);
        data.Add("To", message.To);
        data.Add("Subject", message.Subject);
        data.Add("SessionId", message.SessionId);
        data.Add("DeadLetterSource", message.DeadLetterSource);
        data.Add("LockToken", message.LockToken);
        data.AddJson("ApplicationProperties", message.ApplicationProperties);
        if (session is not null)
            data.AddJson("SessionActions", new { SessionLockedUntil = session.LockedUntil });
        if (!function.IsDeferred && !function.IsBinary)
            data.AddPropertiesOf(data.Input.String);
        return data;
    }

    private TriggerData DataOf(IReadOnlyList<ServiceBusReceivedMessage> messages, ReceiverSession? session)
    {
        var data = new TriggerData { Input = InputOf(messages) };
        data.Add("MessageIdArray", messages.Select(message => message.MessageId));
        data.AddJson("DeliveryCountArray", messages.Select(message => message.DeliveryCount));
        data.Add("SequenceNumberArray", messages.Select(message => message.SequenceNumber));
        data.AddJson("EnqueuedTimeUtcArray", messages.Select(message => message.EnqueuedTime.UtcDateTime));
        data.AddJson("ExpiresAtUtcArray", messages.Select(message => message.ExpiresAt.UtcDateTime));
        data.Add("CorrelationIdArray", messages.Select(message => message.CorrelationId));
        data.Add("ContentTypeArray", messages.Select(message => message.ContentType));
        data.Add("ReplyToArray", messages.Select(message => message.ReplyTo));
        data.Add("ToArray", messages.Select(message => message.To));
        data.Add("SubjectArray", messages.Select(message => message.Subject));
        data.Add("SessionIdArray", messages.Select(message => message.SessionId));
        data.Add("DeadLetterSourceArray", messages.Select(message => message.DeadLetterSource));
        data.Add("LockTokenArray", messages.Select(message => message.LockToken));
        data.AddJson("ApplicationPropertiesArray", messages.Select(message => message.ApplicationProperties));
        if (session is not null)
            data.AddJson("SessionActions", new { SessionLockedUntil = session.LockedUntil });
        return data;
    }

    private TypedData InputOf(IReadOnlyList<ServiceBusReceivedMessage> messages)
    {
        if (function.IsDeferred)
        {
            var models = new CollectionModelBindingData();
            models.ModelBindingData.AddRange(messages.Select(ModelOf));
            return new TypedData { CollectionModelBindingData = models };
        }
        if (function.IsBinary)
        {
            var bytes = new CollectionBytes();
            bytes.Bytes.AddRange(messages.Select(message => UnsafeByteOperations.UnsafeWrap(message.Body.ToMemory())));
            return new TypedData { CollectionBytes = bytes };
        }
        var texts = new CollectionString();
        texts.String.AddRange(messages.Select(message => message.Body.ToString()));
        return new TypedData { CollectionString = texts };
    }

    /// <summary>A whole message: its lock token, then the message as AMQP encodes it.</summary>
    private static ModelBindingData ModelOf(ServiceBusReceivedMessage message)
    {
        var body = message.GetRawAmqpMessage().ToBytes().ToMemory();
        var content = new byte[LockTokenLength + body.Length];
        Guid.Parse(message.LockToken).TryWriteBytes(content);
        body.CopyTo(content.AsMemory(LockTokenLength));
        return TriggerData.Model("AzureServiceBusReceivedMessage", "application/octet-stream", content);
    }

    private static RpcTraceContext? TraceOf(ServiceBusReceivedMessage message)
    {
        var properties = message.ApplicationProperties;
        return (properties.TryGetValue("traceparent", out var parent)
            || properties.TryGetValue("Diagnostic-Id", out parent)) && parent is string text
            ? new RpcTraceContext
            {
                TraceParent = text,
                TraceState = properties.TryGetValue("tracestate", out var state)
                && state is string states ? states : ""
            }
            : null;
    }

    /// <summary>Carries a function's failure through the processor, which only needs to know that there was one.</summary>
    private sealed class FunctionFailedException(string function) : Exception($"The function '{function}' failed.");
}
