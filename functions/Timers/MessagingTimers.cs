using Microsoft.Azure.Functions.Worker;
using Payments.Domain.Messaging;

namespace Payments.Functions.Timers;

/// <summary>Sends outbox messages that an instance committed but did not send before it crashed.</summary>
public sealed class MessagingTimers(OutboxRelay relay, MessagingPurge purge)
{
    [Function("RelayOutbox")]
    public Task RelayAsync([TimerTrigger("%Messaging:RelaySchedule%")] TimerInfo timer, CancellationToken ct) => relay.RelayAsync(ct);

    [Function("PurgeMessages")]
    public Task PurgeAsync([TimerTrigger("0 17 3 * * *")] TimerInfo timer, CancellationToken ct) => purge.RunAsync(ct);
}
