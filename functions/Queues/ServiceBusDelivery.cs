using Azure.Messaging.ServiceBus;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain.Messaging;

namespace Payments.Functions.Queues;

/// <summary>
/// Handles a message or a batch from Service Bus. If all messages succeed, the host completes them. Otherwise each message is settled here
/// by its own outcome, and then the function fails. The failure shows in the monitoring of functions and touches no message.
/// </summary>
internal static class ServiceBusDelivery
{
    public static async Task HandleAsync(
        MessageConsumer consumer, string queue, IReadOnlyList<ServiceBusReceivedMessage> messages, ServiceBusMessageActions actions, CancellationToken ct)
    {
        await using var locks = new LockRenewal(messages, actions);
        ServiceBusReceivedMessage[] fresh = [.. messages.Where(message => message.DeliveryCount <= 1)];
        var outcomes = await consumer.ConsumeAsync(queue, [.. fresh.Select(message => message.Body.ToMemory())], ct);
        var failed = outcomes.FirstOrDefault(outcome => outcome.Error is not null).Error;
        if (failed is not null || fresh.Length < messages.Count)
        {
            for (var i = 0; i < fresh.Length; i++)
                await SettleAsync(fresh[i], outcomes[i], actions);
        }

        // A redelivered message may have crashed the process that had it. Each of them is handled alone and settled at once. The order is
        // random, so that the others get through next time.
        var again = messages.Where(message => message.DeliveryCount > 1).ToArray();
        Random.Shared.Shuffle(again);
        foreach (var message in again)
        {
            var outcome = (await consumer.ConsumeAsync(queue, [message.Body.ToMemory()], ct))[0];
            await SettleAsync(message, outcome, actions);
            failed ??= outcome.Error;
        }

        if (failed is not null)
            throw new MessageNotHandledException(failed);
    }

    // Not cancelable: settling a message with a known outcome matters more than a quick stop.
    private static Task SettleAsync(ServiceBusReceivedMessage message, ConsumeOutcome outcome, ServiceBusMessageActions actions) => outcome.Redeliver
        ? actions.AbandonMessageAsync(message, cancellationToken: CancellationToken.None)
        : actions.CompleteMessageAsync(message, CancellationToken.None);

    /// <summary>Renews the message locks of a batch for as long as the batch takes. The host does not renew them.</summary>
    private sealed class LockRenewal : IAsyncDisposable
    {
        private readonly CancellationTokenSource _ended = new();
        private readonly Task _renewing;

        public LockRenewal(IReadOnlyList<ServiceBusReceivedMessage> messages, ServiceBusMessageActions actions)
        {
            var left = messages.Min(message => message.LockedUntil) - TimeProvider.System.GetUtcNow();
            var every = TimeSpan.FromSeconds(Math.Clamp(left.TotalSeconds / 2, 1, 60));
            _renewing = RenewAsync(messages, actions, every, _ended.Token);
        }

        public async ValueTask DisposeAsync()
        {
            await _ended.CancelAsync();
            await _renewing;
            _ended.Dispose();
        }

        private static async Task RenewAsync(IReadOnlyList<ServiceBusReceivedMessage> messages, ServiceBusMessageActions actions, TimeSpan every, CancellationToken ended)
        {
            while (!ended.IsCancellationRequested)
            {
                await Task.Delay(every, ended).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                foreach (var message in messages.TakeWhile(_ => !ended.IsCancellationRequested))
                {
                    // The message may be settled or its lock lost. Then it is delivered again, and its handler is idempotent.
                    await actions.RenewMessageLockAsync(message, ended).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }
            }
        }
    }
}
