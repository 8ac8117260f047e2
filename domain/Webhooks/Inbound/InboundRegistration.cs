using System.Reflection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Payments.Domain.Messaging;

namespace Payments.Domain.Webhooks.Inbound;

public static class InboundRegistration
{
    /// <summary>
    /// Adds a translator of a provider's events. Apart from settings, a partner's webhooks need only it and the appliers.
    /// </summary>
    public static IServiceCollection AddProviderEvents<TMapper>(this IServiceCollection services)
        where TMapper : class, INeutralEventMapper
    {
        services.TryAddEnumerable(ServiceDescriptor.Singleton<INeutralEventMapper, TMapper>());
        return services;
    }

    /// <summary>Adds a capability that applies neutral events.</summary>
    public static IServiceCollection AddProviderEventApplier<TApplier>(this IServiceCollection services)
        where TApplier : class, IProviderEventApplier
    {
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IProviderEventApplier, TApplier>());
        return services;
    }

    /// <summary>Adds a signing scheme besides <c>standard</c>, <c>stripe</c> and <c>adyen</c>.</summary>
    public static IServiceCollection AddWebhookScheme(this IServiceCollection services, string name, Func<IReadOnlyList<string>, IWebhookVerifier> create) =>
        services.AddSingleton(new WebhookScheme(name, create));

    /// <summary>Runs the registration of every <see cref="IPartnerIntegration"/> of an assembly.</summary>
    public static IServiceCollection AddPartnerIntegrations(this IServiceCollection services, IConfiguration configuration, Assembly assembly)
    {
        foreach (var type in assembly.GetTypes()
            .Where(type => type is { IsClass: true, IsAbstract: false } && type.IsAssignableTo(typeof(IPartnerIntegration)))
            .OrderBy(type => type.FullName, StringComparer.Ordinal))
        {
            ((IPartnerIntegration)Activator.CreateInstance(type)!).Register(services, configuration);
        }

        return services;
    }

    internal static void AddInbound(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddPartnerIntegrations(configuration, typeof(InboundRegistration).Assembly);
        services.AddWebhookScheme("standard", secrets => new StandardWebhooksVerifier(secrets));
        services.AddWebhookScheme("stripe", secrets => new StripeWebhookVerifier(secrets));
        services.AddWebhookScheme("adyen", secrets => new AdyenWebhookVerifier(secrets));
        services.AddSingleton<InboundProviders>();
        services.AddSingleton<ReceiveWebhook>();
        services.AddSingleton<ProviderEvents>();
        services.AddSingleton<IMessageHandler, ProcessProviderEvent>();
    }
}
