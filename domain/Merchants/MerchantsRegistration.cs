using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Payments.Domain.Idempotency;

namespace Payments.Domain.Merchants;

public static class MerchantsRegistration
{
    public static IServiceCollection AddMerchants(this IServiceCollection services, IConfiguration configuration)
    {
        services.Configure<PlatformOptions>(configuration.GetSection("Platform"));
        services.AddSingleton<IdempotencyStore>();
        services.AddSingleton<MerchantReads>();
        services.AddSingleton<CreateMerchant>();
        services.AddSingleton<ApiKeys>();
        return services;
    }
}
