using System.Text.Json;
using Azure;
using Azure.Storage.Queues;
using Azure.Storage.Queues.Models;
using FunctionsHost.Hosting;
using FunctionsHost.Protocol;

namespace FunctionsHost.Queues;

/// <summary>How queues are read: host.json <c>extensions.queues</c>.</summary>
internal sealed record QueueSettings(
    int BatchSize,
    int NewBatchThreshold,
    int MaxDequeueCount,
    TimeSpan VisibilityTimeout,
    TimeSpan MaxPollingInterval,
    bool Base64,
    TimeSpan Lease)
{
    /// <exception cref="InvalidOperationException">A value is out of its range: the message names it.</exception>
    public static QueueSettings From(HostJson hostJson, TimeSpan lease)
    {
        var batchSize = hostJson.Number("extensions:queues:batchSize", 16);
        if (batchSize is < 1 or > 32)
            throw new InvalidOperationException($"host.json: 'extensions.queues.batchSize' is {batchSize}; it must be 1 to 32.");
        var encoding = hostJson.Text("extensions:queues:messageEncoding", "base64");
        return new QueueSettings(
            batchSize,
            hostJson.Number("extensions:queues:newBatchThreshold", batchSize / 2 * Environment.ProcessorCount),
            hostJson.Number("extensions:queues:maxDequeueCount", 5),
            hostJson.Time("extensions:queues:visibilityTimeout", TimeSpan.Zero),
            hostJson.Time("extensions:queues:maxPollingInterval", TimeSpan.FromMinutes(1)),
            encoding.ToUpperInvariant() switch
            {
                "BASE64" => true,
                "NONE" => false,
                _ => throw new InvalidOperationException(
                    $"host.json: 'extensions.queues.messageEncoding' is '{encoding}'; it must be base64 or none."),
            },
            lease);
    }
}

/// <summary>What the messages of a queue are for.</summary>
internal interface IQueueConsumer
{
    /// <summary>For log lines.</summary>
    string Name { get; }

    /// <summary>Handles a message, whose body has been decoded. True where that went well.</summary>
    Task<bool> HandleAsync(QueueMessage message, CancellationToken abandoning);
}

/// <summary>
/// Handles each message of a storage queue, at least once. A message is hidden while it is handled, deleted when that
/// ends well, shown again when it fails, and moved to the poison queue when it has failed too often.
/// </summary>
internal sealed class QueueListener : ITriggerListener
{
    private const string PoisonSuffix = "-poison";
    private const int LongestQueueName = 63;
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(50);

    private readonly QueueClient _queue;
    private readonly QueueClient? _poison;
    private readonly QueueSettings _settings;
    private readonly IQueueConsumer _consumer;
    private readonly HostConsole _console;
    private readonly TimeProvider _time;
    private readonly HashSet<Task> _running = [];
    private volatile TaskCompletionSource _woken = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="poison">Where messages go that failed too often; null for none.</param>
    public QueueListener(
        QueueClient queue, QueueClient? poison, QueueSettings settings, IQueueConsumer consumer, HostConsole console, TimeProvider time)
    {
        _queue = queue;
        _poison = poison;
        _settings = settings;
        _consumer = consumer;
        _console = console;
        _time = time;
    }

    /// <summary>The poison queue of a queue: none where that is one itself, or its name would be too long.</summary>
    public static QueueClient? PoisonOf(QueueServiceClient queues, string queue) =>
        queue.EndsWith(PoisonSuffix, StringComparison.Ordinal) || queue.Length + PoisonSuffix.Length > LongestQueueName
            ? null
            : queues.GetQueueClient(queue + PoisonSuffix);

    /// <summary>Looks for messages now, however long the queue has been idle.</summary>
    public void Wake() => _woken.TrySetResult();

    public async Task RunAsync(CancellationToken stopping, CancellationToken abandoning)
    {
        var wait = ShortestWait;
        var unreachable = false;
        try
        {
            while (!stopping.IsCancellationRequested)
            {
                var received = 0;
                try
                {
                    received = await ReceiveAsync(stopping, abandoning);
                    if (unreachable)
                        _console.Line($"The queue '{_queue.Name}' can be reached again.");
                    unreachable = false;
                }
                catch (Exception e) when (e is RequestFailedException or AggregateException && !stopping.IsCancellationRequested)
                {
                    if (!unreachable)
                        _console.Line($"The queue '{_queue.Name}' cannot be read: {e.Message.Split('\n')[0]} Trying again.");
                    unreachable = true;
                }
                if (received > 0)
                {
                    wait = ShortestWait;
                    await UntilRoomAsync();
                }
                else
                {
                    await Task.WhenAny(Task.Delay(wait, _time, stopping), _woken.Task);
                    if (_woken.Task.IsCompleted)
                    {
                        _woken = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                        wait = ShortestWait;
                        continue;
                    }
                    wait = wait * 2 < _settings.MaxPollingInterval ? wait * 2 : _settings.MaxPollingInterval;
                }
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // What was received is finished below.
        }
        await Task.WhenAll(_running);
    }

    private async Task<int> ReceiveAsync(CancellationToken stopping, CancellationToken abandoning)
    {
        QueueMessage[] messages;
        try
        {
            messages = await _queue.ReceiveMessagesAsync(_settings.BatchSize, _settings.Lease, stopping);
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            await _queue.CreateIfNotExistsAsync(cancellationToken: stopping);
            return 0;
        }
        foreach (var message in messages)
            _running.Add(Task.Run(() => HandleAsync(message, abandoning), CancellationToken.None));
        return messages.Length;
    }

    /// <summary>Waits until so few messages are in work that another batch is due.</summary>
    private async Task UntilRoomAsync()
    {
        _running.RemoveWhere(static task => task.IsCompleted);
        while (_running.Count > _settings.NewBatchThreshold)
            _running.Remove(await Task.WhenAny(_running));
    }

    private async Task HandleAsync(QueueMessage message, CancellationToken abandoning)
    {
        try
        {
            // A process that died while it handled the message leaves a count above the limit.
            if (message.DequeueCount > _settings.MaxDequeueCount)
            {
                await PoisonAsync(message, message.PopReceipt);
                return;
            }
            // No later attempt would decode it, so it has none.
            if (Decode(message) is not { } decoded)
            {
                _console.Line($"A message of '{_queue.Name}' is not base64, so '{_consumer.Name}' cannot take it.");
                await PoisonAsync(message, message.PopReceipt);
                return;
            }
            await using var hidden = new HiddenMessage(_queue, message, _settings.Lease, _time);
            var succeeded = await _consumer.HandleAsync(decoded, abandoning);
            var receipt = await hidden.EndAsync();
            if (succeeded)
                await _queue.DeleteMessageAsync(message.MessageId, receipt, CancellationToken.None);
            else if (message.DequeueCount >= _settings.MaxDequeueCount)
                await PoisonAsync(message, receipt);
            else if (_poison is not null)
                await _queue.UpdateMessageAsync(
                    message.MessageId, receipt, visibilityTimeout: _settings.VisibilityTimeout, cancellationToken: CancellationToken.None);
            // Without a poison queue the message stays hidden until its lease ends, so that it does not fail in a fast loop.
        }
        catch (Exception e) when (e is RequestFailedException or AggregateException)
        {
            // The message shows itself again: at least once.
            _console.Line($"A message of '{_queue.Name}' could not be settled and will come again: {e.Message.Split('\n')[0]}");
        }
    }

    private QueueMessage? Decode(QueueMessage message)
    {
        if (!_settings.Base64)
            return message;
        var text = message.Body.ToString();
        var bytes = new byte[text.Length];
        if (!Convert.TryFromBase64String(text, bytes, out var length))
            return null;
        return QueuesModelFactory.QueueMessage(
            message.MessageId, message.PopReceipt, new BinaryData(bytes.AsMemory(0, length)), message.DequeueCount,
            message.NextVisibleOn, message.InsertedOn, message.ExpiresOn);
    }

    /// <summary>
    /// Moves a message to the poison queue, where it expires in seven days, as on the platform. Where there is none it
    /// stays in its queue, and no function is run for it any more.
    /// </summary>
    private async Task PoisonAsync(QueueMessage message, string receipt)
    {
        if (_poison is null)
        {
            if (message.DequeueCount <= _settings.MaxDequeueCount)
                _console.Line($"A message of '{_queue.Name}' failed too often and is left there, as there is no poison queue for it.");
            return;
        }
        _console.Line($"A message of '{_queue.Name}' moves to '{_poison.Name}'.");
        // Copied first: a crash in between leaves it twice rather than nowhere.
        await _poison.CreateIfNotExistsAsync();
        await _poison.SendMessageAsync(message.Body);
        await _queue.DeleteMessageAsync(message.MessageId, receipt);
    }
}

/// <summary>Runs a function for each message of a queue.</summary>
internal sealed class QueueFunction(Function function, EventRunner runner) : IQueueConsumer
{
    public string Name => function.Name;

    public Task<bool> HandleAsync(QueueMessage message, CancellationToken abandoning)
    {
        var data = new TriggerData
        {
            Input = function.IsDeferred
                ? new TypedData { ModelBindingData = TriggerData.Model("AzureStorageQueues", "application/json", Describe(message)) }
                : TriggerData.TextOf(function, message.Body),
        };
        data.Add("QueueTrigger", message.Body.ToString());
        data.AddJson("DequeueCount", message.DequeueCount);
        data.AddJson("ExpirationTime", message.ExpiresOn);
        data.Add("Id", message.MessageId);
        data.AddJson("InsertionTime", message.InsertedOn);
        data.AddJson("NextVisibleTime", message.NextVisibleOn);
        data.Add("PopReceipt", message.PopReceipt);
        if (!function.IsDeferred && !function.IsBinary)
            data.AddPropertiesOf(data.Input.String);
        return runner.RunAsync(function, data, abandoning);
    }

    private static byte[] Describe(QueueMessage message) => JsonSerializer.SerializeToUtf8Bytes(new
    {
        message.MessageId,
        message.PopReceipt,
        MessageText = message.Body.ToString(),
        message.DequeueCount,
        NextVisibleOn = message.NextVisibleOn?.UtcDateTime,
        InsertedOn = message.InsertedOn?.UtcDateTime,
        ExpiresOn = message.ExpiresOn?.UtcDateTime,
    });
}

/// <summary>Keeps a message hidden while its function runs, however long that takes.</summary>
internal sealed class HiddenMessage : IAsyncDisposable
{
    private readonly QueueClient _queue;
    private readonly QueueMessage _message;
    private readonly TimeSpan _lease;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _ended = new();
    private readonly Task _renewing;
    private string _receipt;

    public HiddenMessage(QueueClient queue, QueueMessage message, TimeSpan lease, TimeProvider time)
    {
        _queue = queue;
        _message = message;
        _lease = lease;
        _time = time;
        _receipt = message.PopReceipt;
        _renewing = RenewAsync();
    }

    /// <summary>Stops renewing; gives the receipt that settles the message.</summary>
    public async Task<string> EndAsync()
    {
        await _ended.CancelAsync();
        await _renewing;
        return _receipt;
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        _ended.Dispose();
    }

    private async Task RenewAsync()
    {
        while (true)
        {
            await Task.Delay(_lease / 2, _time, _ended.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_ended.IsCancellationRequested)
                return;
            try
            {
                // Not cancelled: an answer that is lost would take the new receipt with it.
                _receipt = (await _queue.UpdateMessageAsync(_message.MessageId, _receipt, visibilityTimeout: _lease)).Value.PopReceipt;
            }
            catch (Exception e) when (e is RequestFailedException or AggregateException)
            {
                if (e is RequestFailedException { Status: 400 or 404 })
                    return;
            }
        }
    }
}
