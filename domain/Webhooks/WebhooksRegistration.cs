using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Webhooks;

public static class WebhooksRegistration
{
    /// <summary>Partners' webhooks. It stands on <c>AddMessaging</c> and an <c>NpgsqlDataSource</c>.</summary>
    public static IServiceCollection AddWebhooks(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddInbound();
        return services;
    }
}
