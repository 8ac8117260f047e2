using Azure.Messaging.ServiceBus;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain.Messaging;

namespace Payments.Functions.Queues;

/// <summary>
/// What Service Bus delivered, one message or a batch of them. When all went well the host completes them; else each is settled here by what became of
/// it, and the function fails, so that the failure is seen where functions are watched and touches no message.
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

        // One of these may have ended the process that had it. Each goes alone, is settled at once, and in an order that is another one next time, so
        // that the others come through.
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

    // No cancellation: what is known of a message is worth more than a quick stop.
    private static Task SettleAsync(ServiceBusReceivedMessage message, ConsumeOutcome outcome, ServiceBusMessageActions actions) => outcome.Redeliver
        ? actions.AbandonMessageAsync(message, cancellationToken: CancellationToken.None)
        : actions.CompleteMessageAsync(message, CancellationToken.None);

    /// <summary>Keeps the locks of a batch, which the host does not renew, for as long as the batch takes.</summary>
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
                    // Settled meanwhile, or lost: then it comes again, which its handler allows.
                    await actions.RenewMessageLockAsync(message, ended).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }
            }
        }
    }
}
