using Microsoft.Extensions.Logging;

namespace Payments.Domain.Messaging;

/// <summary>
/// Passes messages from a transport to their handlers, one or many at a time. A message that fails is tried again on its own, after growing
/// pauses. After the last try it becomes a dead letter with the error. Its failures do not affect other messages.
/// </summary>
public sealed class MessageConsumer(MessageDispatcher dispatcher, IMessageSender sender, DeadLetters deadLetters, TimeProvider time, ILogger<MessageConsumer> logger)
{
    private const int LongestReason = 1000;

    // About two hours in all: longer than most failovers of the database or outages of a provider, and short enough to call an operator.
    private static readonly TimeSpan[] Pauses =
    [
        TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(10), TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(15), TimeSpan.FromMinutes(30),
        TimeSpan.FromHours(1),
    ];

    /// <summary>
    /// Handles one message. It returns when the transport may settle the message, whether the handler succeeded or not.
    /// </summary>
    /// <exception cref="MessageNotHandledException">The transport must deliver the message again.</exception>
    /// <inheritdoc cref="MessageDispatcher.DispatchAsync" path="/param"/>
    public async Task ConsumeAsync(string queue, ReadOnlyMemory<byte> raw, CancellationToken ct)
    {
        var outcome = await TryAsync(queue, raw, ct);
        if (outcome.Redeliver)
            throw new MessageNotHandledException(outcome.Error!);
    }

    /// <summary>
    /// Handles many messages in parallel, as far as their handlers allow, and returns their outcomes in order. It does not throw.
    /// </summary>
    /// <inheritdoc cref="MessageDispatcher.DispatchAsync" path="/param"/>
    public async Task<IReadOnlyList<ConsumeOutcome>> ConsumeAsync(string queue, IReadOnlyList<ReadOnlyMemory<byte>> raws, CancellationToken ct)
    {
        var outcomes = new ConsumeOutcome[raws.Count];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, Math.Min(raws.Count, dispatcher.ConcurrencyOf(queue))), CancellationToken = CancellationToken.None };
        await Parallel.ForAsync(0, raws.Count, parallel, async (i, _) => outcomes[i] = await TryAsync(queue, raws[i], ct));
        return outcomes;
    }

    /// <summary>How long a message waits after this many failures. Null: it becomes a dead letter.</summary>
    internal static TimeSpan? PauseAfter(int failures) => failures <= Pauses.Length ? Pauses[failures - 1] : null;

#pragma warning disable CA1031 // An exception of a handler concerns only its own message.
    private async Task<ConsumeOutcome> TryAsync(string queue, ReadOnlyMemory<byte> raw, CancellationToken ct)
    {
        try
        {
            await dispatcher.DispatchAsync(queue, raw, ct);
            return default;
        }
        catch (OperationCanceledException e) when (ct.IsCancellationRequested)
        {
            // The process stops. That is not a failure of the message.
            return new ConsumeOutcome(e, Redeliver: true);
        }
        catch (Exception e)
        {
            try
            {
                return new ConsumeOutcome(e, Redeliver: !await TrySeeToAsync(queue, raw, e, ct));
            }
            catch (Exception again)
            {
                MessagingLog.RetryFailed(logger, again, queue);
                return new ConsumeOutcome(e, Redeliver: true);
            }
        }
    }
#pragma warning restore CA1031

    /// <summary>Sends a retry or keeps a dead letter. False if the transport must deliver the message again itself.</summary>
    private async Task<bool> TrySeeToAsync(string queue, ReadOnlyMemory<byte> raw, Exception failure, CancellationToken ct)
    {
        // A copy at the end of the queue would change the order within its order key, so the session waits for the message at its head.
        if (MessageEnvelope.Parse(raw.Span) is not { OrderKey: null } envelope)
            return false;
        var failures = envelope.Failures + 1;
        if (PauseAfter(failures) is not { } pause)
        {
            var reason = $"Its handler failed {failures} times, at last with {failure.GetType().Name}: {failure.Message}";
            await deadLetters.KeepAsync(queue, raw, reason.Length > LongestReason ? reason[..LongestReason] : reason, ct);
            return true;
        }

        // The copy is durable at the broker before the original is settled. After a crash in between the queue delivers both, which
        // handlers allow.
        var copy = envelope with { Failures = (short)failures, NotBefore = time.GetUtcNow() + pause };
        if ((await sender.SendAsync(queue, [copy], ct))[0] is { } error)
        {
            MessagingLog.RetryNotSent(logger, envelope.Id, queue, error);
            return false;
        }

        MessagingLog.HandlerFailed(logger, failure, envelope.Id, queue, failures, pause);
        return true;
    }
}

/// <summary>The outcome of a delivery.</summary>
/// <param name="Error">Why the handler failed, or null if it succeeded.</param>
/// <param name="Redeliver">True if the transport must keep the message and deliver it again. False if it may settle the message.</param>
public readonly record struct ConsumeOutcome(Exception? Error, bool Redeliver);

/// <summary>Tells the transport to deliver a message again that could be neither handled nor sent as a retry.</summary>
public sealed class MessageNotHandledException(Exception failure) : Exception(failure.Message, failure);
