using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Payments.Domain.Audit;
using Payments.Domain.Idempotency;
using Payments.Domain.Secrets;

namespace Payments.Domain.Merchants;

public static class MerchantsRegistration
{
    public static IServiceCollection AddMerchants(this IServiceCollection services, IConfiguration configuration)
    {
        services.Configure<PlatformOptions>(configuration.GetSection("Platform"));
        services.TryAddSingleton(_ => SecretBox.FromConfiguration(configuration));
        services.AddSingleton<IdempotencyStore>();
        services.AddSingleton<MerchantReads>();
        services.AddSingleton<CreateMerchant>();
        services.AddSingleton<ApiKeys>();
        services.AddSingleton<AuditLog>();
        services.AddSingleton<FeePlans>();
        return services;
    }
}
