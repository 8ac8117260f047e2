using Microsoft.Extensions.Hosting;

namespace Payments.Domain.Webhooks.Outbound;

/// <summary>Delivers as long as the process runs. After it ends, another instance or a timer sends the deliveries that are due.</summary>
public sealed class WebhookDispatcherService(WebhookDispatcher dispatcher) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => dispatcher.RunAsync(stoppingToken);
}
