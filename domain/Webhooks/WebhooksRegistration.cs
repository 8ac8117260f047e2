using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Payments.Domain.Messaging;
using Payments.Domain.Secrets;
using Payments.Domain.Webhooks.Inbound;
using Payments.Domain.Webhooks.Outbound;

namespace Payments.Domain.Webhooks;

public static class WebhooksRegistration
{
    /// <summary>
    /// Adds webhooks in both directions. They need <c>AddMessaging</c>, an <c>NpgsqlDataSource</c> and the key ring of
    /// <see cref="SecretBox"/>.
    /// </summary>
    public static IServiceCollection AddWebhooks(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddInbound(configuration);
        services.TryAddSingleton(_ => SecretBox.FromConfiguration(configuration));
        services.AddSingleton(configuration.GetSection("Webhooks").Get<WebhookOptions>() ?? new WebhookOptions());
        services.AddSingleton(provider => new WebhookHttp(provider.GetRequiredService<WebhookOptions>()));
        services.AddSingleton<WebhookSignal>();
        services.AddSingleton<WebhookEndpoints>();
        services.AddSingleton<WebhookDeliveries>();
        services.AddSingleton<DisableEndpoint>();
        services.AddSingleton<IMessageHandler, FanOutEvent>();
        services.AddSingleton<WebhookDispatcher>();
        services.AddHostedService<WebhookDispatcherService>();
        return services;
    }
}
