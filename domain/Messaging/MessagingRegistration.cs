using Azure.Core;
using Azure.Identity;
using Azure.Messaging.ServiceBus;
using Azure.Storage.Queues;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Payments.Domain.Messaging;

public static class MessagingRegistration
{
    /// <summary>
    /// Adds the outbox, its relay and the transport. <c>Messaging:Transport</c> is <c>storage</c> (the default) or <c>servicebus</c>.
    /// <c>AzureWebJobsStorage</c> or <c>ServiceBus</c> holds the connection string. With a managed identity, set
    /// <c>AzureWebJobsStorage:queueServiceUri</c> or <c>ServiceBus:fullyQualifiedNamespace</c> instead, and <c>:clientId</c> for a
    /// user-assigned identity.
    /// </summary>
    public static IServiceCollection AddMessaging(this IServiceCollection services, IConfiguration configuration)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<OutboxSignal>();
        services.AddSingleton<OutboxRelay>();
        services.AddSingleton<DeadLetters>();
        services.AddSingleton<MessageDispatcher>();
        services.AddSingleton<MessageConsumer>();
        services.AddSingleton<MessagingPurge>();
        services.AddSingleton<Events>();
        services.AddHostedService<OutboxRelayService>();
        switch (configuration["Messaging:Transport"] ?? "storage")
        {
            case "storage":
                services.AddSingleton(StorageQueues(configuration));
                services.AddSingleton<IMessageSender, StorageQueueMessageSender>();
                break;
            case "servicebus":
                services.AddSingleton(ServiceBus(configuration));
                services.AddSingleton<IMessageSender, ServiceBusMessageSender>();
                break;
            case var other:
                throw new InvalidOperationException($"Messaging__Transport must be 'storage' or 'servicebus', but is '{other}'.");
        }

        return services;
    }

    private static QueueServiceClient StorageQueues(IConfiguration configuration)
    {
        // The relay holds row locks while it sends. It gives up soon on a broker that hangs, and tries again later.
        var options = new QueueClientOptions { Retry = { MaxRetries = 2, NetworkTimeout = TimeSpan.FromSeconds(10), MaxDelay = TimeSpan.FromSeconds(2) } };
        var section = configuration.GetSection("AzureWebJobsStorage");
        if (section["queueServiceUri"] is { Length: > 0 } uri)
            return new QueueServiceClient(new Uri(uri), Credential(section), options);
        return section.Value is { Length: > 0 } connection
            ? new QueueServiceClient(connection, options)
            : throw new InvalidOperationException("AzureWebJobsStorage (or AzureWebJobsStorage__queueServiceUri) is missing. "
                + "Set one of them: the outbox sends messages to its queues.");
    }

    private static ServiceBusClient ServiceBus(IConfiguration configuration)
    {
        var options = new ServiceBusClientOptions { RetryOptions = { MaxRetries = 2, TryTimeout = TimeSpan.FromSeconds(10), MaxDelay = TimeSpan.FromSeconds(2) } };
        var section = configuration.GetSection("ServiceBus");
        if (section["fullyQualifiedNamespace"] is { Length: > 0 } host)
            return new ServiceBusClient(host, Credential(section), options);
        return section.Value is { Length: > 0 } connection
            ? new ServiceBusClient(connection, options)
            : throw new InvalidOperationException("ServiceBus (or ServiceBus__fullyQualifiedNamespace) is missing. "
                + "Set one of them: the outbox sends messages to its queues.");
    }

    private static TokenCredential Credential(IConfigurationSection section) =>
        section["clientId"] is { Length: > 0 } client
            ? new ManagedIdentityCredential(ManagedIdentityId.FromUserAssignedClientId(client))
            : new DefaultAzureCredential();
}
