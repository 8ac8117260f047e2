using Microsoft.Extensions.DependencyInjection;

namespace Payments.TestHooks;

internal static class ServiceDecoration
{
    /// <summary>Wraps every registration of a service.</summary>
    /// <exception cref="InvalidOperationException">The service is not registered, so the test would change nothing.</exception>
    public static void Decorate<T>(this IServiceCollection services, Func<IServiceProvider, T, T> around)
        where T : class
    {
        var found = false;
        for (var i = 0; i < services.Count; i++)
        {
            var service = services[i];
            if (service.ServiceType != typeof(T) || service.IsKeyedService)
                continue;
            found = true;
            services[i] = ServiceDescriptor.Describe(typeof(T), provider => around(provider, (T)Create(provider, service)), service.Lifetime);
        }

        if (!found)
            throw new InvalidOperationException($"{typeof(T)} is not registered.");
    }

    private static object Create(IServiceProvider provider, ServiceDescriptor service) =>
        service.ImplementationInstance ?? service.ImplementationFactory?.Invoke(provider) ?? ActivatorUtilities.CreateInstance(provider, service.ImplementationType!);
}
