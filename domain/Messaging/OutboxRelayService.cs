using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Payments.Domain.Messaging;

/// <summary>
/// Runs the relay after each commit of this process, when a delayed message becomes due, and at least every five seconds.
/// </summary>
public sealed class OutboxRelayService(OutboxRelay relay, OutboxSignal signal, TimeProvider time, ILogger<OutboxRelayService> logger) : BackgroundService
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(20);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var wait = LongestWait;
            try
            {
                await relay.RelayAsync(stoppingToken);
                if (await relay.NextDueAsync(stoppingToken) is { } due)
                    wait = TimeSpan.FromTicks(Math.Clamp((due - time.GetUtcNow()).Ticks, ShortestWait.Ticks, LongestWait.Ticks));
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // After any failure the rows are safe, and the next round tries again.
            catch (Exception e)
#pragma warning restore CA1031
            {
                MessagingLog.RelayFailed(logger, e);
            }

            try
            {
                await signal.WaitAsync(wait, time, stoppingToken);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }
}
