using Azure.Messaging.ServiceBus;
using Azure.Storage.Queues;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Payments.Domain.Messaging;

namespace Payments.Postgres.Tests.Messaging;

/// <summary>One setting chooses the transport, by a connection string or by an identity.</summary>
public sealed class MessagingRegistrationTests
{
    [Fact]
    public void Transport_ServiceBusByIdentity_TakesTheNamespace()
    {
        var services = Register(("Messaging:Transport", "servicebus"), ("ServiceBus:fullyQualifiedNamespace", "pay.servicebus.windows.net"), ("ServiceBus:clientId", "some-client"));

        Assert.Equal("pay.servicebus.windows.net", Instance<ServiceBusClient>(services).FullyQualifiedNamespace);
        Assert.Equal(typeof(ServiceBusMessageSender), Sender(services));
    }

    [Fact]
    public void Transport_ServiceBusByConnectionString_TakesIt()
    {
        var services = Register(("Messaging:Transport", "servicebus"), ("ServiceBus", "Endpoint=sb://pay.servicebus.windows.net;SharedAccessKeyName=a;SharedAccessKey=b"));

        Assert.Equal("pay.servicebus.windows.net", Instance<ServiceBusClient>(services).FullyQualifiedNamespace);
    }

    [Fact]
    public void Transport_StorageByIdentity_TakesTheAddress()
    {
        var services = Register(("AzureWebJobsStorage:queueServiceUri", "https://pay.queue.core.windows.net"));

        Assert.Equal("pay", Instance<QueueServiceClient>(services).AccountName);
        Assert.Equal(typeof(StorageQueueMessageSender), Sender(services));
    }

    [Theory]
    [InlineData("servicebus", "ServiceBus (or ServiceBus__fullyQualifiedNamespace) is missing")]
    [InlineData("storage", "AzureWebJobsStorage (or AzureWebJobsStorage__queueServiceUri) is missing")]
    [InlineData("rabbit", "must be 'storage' or 'servicebus'")]
    public void Transport_NotOrWronglySet_SaysWhatToSet(string transport, string expected)
    {
        var error = Assert.Throws<InvalidOperationException>(() => Register(("Messaging:Transport", transport)));

        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    private static ServiceCollection Register(params (string Key, string Value)[] settings)
    {
        var services = new ServiceCollection();
        services.AddMessaging(new ConfigurationBuilder().AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value))).Build());
        return services;
    }

    private static T Instance<T>(ServiceCollection services) => (T)services.Single(service => service.ServiceType == typeof(T)).ImplementationInstance!;

    private static Type? Sender(ServiceCollection services) => services.Single(service => service.ServiceType == typeof(IMessageSender)).ImplementationType;
}
