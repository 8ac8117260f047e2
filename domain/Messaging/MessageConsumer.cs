using Microsoft.Extensions.Logging;

namespace Payments.Domain.Messaging;

/// <summary>
/// Takes what a transport delivers to its handlers, one or many at a time, and sees to what fails: each message is tried again after growing
/// pauses, on its own, and after the last one stands among the dead letters with the error. Its neighbours never notice.
/// </summary>
public sealed class MessageConsumer(MessageDispatcher dispatcher, IMessageSender sender, DeadLetters deadLetters, TimeProvider time, ILogger<MessageConsumer> logger)
{
    private const int LongestReason = 1000;

    // About two hours in all: longer than a failover of the database or an outage of a processor usually takes, short enough to call somebody.
    private static readonly TimeSpan[] Pauses =
    [
        TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(10), TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(15), TimeSpan.FromMinutes(30),
        TimeSpan.FromHours(1),
    ];

    /// <summary>Handles one message. It returns when the transport may settle the message, handled or not, and throws when it has to deliver it again.</summary>
    /// <inheritdoc cref="MessageDispatcher.DispatchAsync" path="/param"/>
    public async Task ConsumeAsync(string queue, ReadOnlyMemory<byte> raw, CancellationToken ct)
    {
        var outcome = await TryAsync(queue, raw, ct);
        if (outcome.Redeliver)
            throw new MessageNotHandledException(outcome.Error!);
    }

    /// <summary>Handles many side by side, as many as their handlers allow, and answers in order what became of each. It does not throw.</summary>
    /// <inheritdoc cref="MessageDispatcher.DispatchAsync" path="/param"/>
    public async Task<IReadOnlyList<ConsumeOutcome>> ConsumeAsync(string queue, IReadOnlyList<ReadOnlyMemory<byte>> raws, CancellationToken ct)
    {
        var outcomes = new ConsumeOutcome[raws.Count];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, Math.Min(raws.Count, dispatcher.ConcurrencyOf(queue))), CancellationToken = CancellationToken.None };
        await Parallel.ForAsync(0, raws.Count, parallel, async (i, _) => outcomes[i] = await TryAsync(queue, raws[i], ct));
        return outcomes;
    }

    /// <summary>How long a message waits after so many failures; null when it is given up.</summary>
    internal static TimeSpan? PauseAfter(int failures) => failures <= Pauses.Length ? Pauses[failures - 1] : null;

#pragma warning disable CA1031 // Whatever a handler throws is its message's matter alone.
    private async Task<ConsumeOutcome> TryAsync(string queue, ReadOnlyMemory<byte> raw, CancellationToken ct)
    {
        try
        {
            await dispatcher.DispatchAsync(queue, raw, ct);
            return default;
        }
        catch (OperationCanceledException e) when (ct.IsCancellationRequested)
        {
            // The process stops: that is no failure of the message.
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

    /// <summary>False when the transport has to deliver it again itself.</summary>
    private async Task<bool> TrySeeToAsync(string queue, ReadOnlyMemory<byte> raw, Exception failure, CancellationToken ct)
    {
        // A copy at the end of the queue would lose its turn; a session waits for the one at its head instead.
        if (MessageEnvelope.Parse(raw.Span) is not { OrderKey: null } envelope)
            return false;
        var failures = envelope.Failures + 1;
        if (PauseAfter(failures) is not { } pause)
        {
            var reason = $"Its handler failed {failures} times, at last with {failure.GetType().Name}: {failure.Message}";
            await deadLetters.KeepAsync(queue, raw, reason.Length > LongestReason ? reason[..LongestReason] : reason, ct);
            return true;
        }

        // The copy is safe at the broker before the original is settled: a crash in between delivers both, which handlers allow.
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

/// <summary>What became of a delivery.</summary>
/// <param name="Error">Why its handler failed; null when it did not.</param>
/// <param name="Redeliver">The transport must keep the message and deliver it again; else it may be settled.</param>
public readonly record struct ConsumeOutcome(Exception? Error, bool Redeliver);

/// <summary>Tells the transport to deliver again what could neither be handled nor be put off.</summary>
public sealed class MessageNotHandledException(Exception failure) : Exception(failure.Message, failure);
