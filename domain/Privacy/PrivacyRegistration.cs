using Microsoft.Extensions.DependencyInjection;

namespace Payments.Domain.Privacy;

public static class PrivacyRegistration
{
    public static IServiceCollection AddPrivacy(this IServiceCollection services)
    {
        services.AddSingleton<Redact>();
        return services;
    }
}
