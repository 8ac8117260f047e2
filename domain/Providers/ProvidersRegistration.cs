using System.Net.Http.Headers;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Payments.Domain.Providers.Sandbox;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Providers;

public static class ProvidersRegistration
{
    public static IServiceCollection AddProviders(this IServiceCollection services, IConfiguration configuration)
    {
        services.Configure<SandboxOptions>(configuration.GetSection("Providers:Sandbox"));
        services.AddHttpClient(SandboxProvider.ProviderName, (provider, http) =>
        {
            var options = provider.GetRequiredService<IOptions<SandboxOptions>>().Value;
            http.BaseAddress = options.BaseAddress;
            http.Timeout = options.Timeout;
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", options.ApiKey);
        }).ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            ConnectTimeout = TimeSpan.FromSeconds(5),
        }).RemoveAllLoggers();
        services.AddSingleton<IPaymentProvider>(provider =>
            new SandboxProvider(provider.GetRequiredService<IHttpClientFactory>().CreateClient(SandboxProvider.ProviderName)));
        services.AddSingleton<PaymentProviders>();
        services.AddProviderEvents<SandboxPaymentEvents>();
        return services;
    }
}
