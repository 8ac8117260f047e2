using Microsoft.Extensions.DependencyInjection;

namespace Payments.Domain.Observability;

public static class ObservabilityRegistration
{
    public static IServiceCollection AddObservability(this IServiceCollection services)
    {
        services.AddSingleton<StateMetrics>();
        return services;
    }
}
