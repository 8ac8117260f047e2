using Microsoft.Extensions.Hosting;

namespace Payments.Domain.Webhooks.Outbound;

/// <summary>Delivers as long as the process runs. What a process leaves behind, another one, or a timer, finds due.</summary>
public sealed class WebhookDispatcherService(WebhookDispatcher dispatcher) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => dispatcher.RunAsync(stoppingToken);
}
