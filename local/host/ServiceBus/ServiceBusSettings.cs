using Azure.Messaging.ServiceBus;
using FunctionsHost.Hosting;
using FunctionsHost.Storage;
using Microsoft.Extensions.Configuration;

namespace FunctionsHost.ServiceBus;

/// <summary>How Service Bus is read: host.json <c>extensions.serviceBus</c>.</summary>
internal sealed record ServiceBusSettings(
    ServiceBusRetryOptions Retry,
    int PrefetchCount,
    bool AutoCompleteMessages,
    TimeSpan MaxAutoLockRenewalDuration,
    int MaxConcurrentCalls,
    int MaxConcurrentSessions,
    int MaxConcurrentCallsPerSession,
    TimeSpan? SessionIdleTimeout,
    int MaxMessageBatchSize,
    int MinMessageBatchSize,
    TimeSpan MaxBatchWaitTime)
{
    private const string Section = "extensions:serviceBus:";

    public static ServiceBusSettings From(HostJson json)
    {
        var idle = json.Time(Section + "sessionIdleTimeout", TimeSpan.Zero);
        return new ServiceBusSettings(
            new ServiceBusRetryOptions
            {
                Mode = Enum.Parse<ServiceBusRetryMode>(json.Text(Section + "clientRetryOptions:mode", "exponential"), ignoreCase: true),
                TryTimeout = json.Time(Section + "clientRetryOptions:tryTimeout", TimeSpan.FromMinutes(1)),
                Delay = json.Time(Section + "clientRetryOptions:delay", TimeSpan.FromSeconds(0.8)),
                MaxDelay = json.Time(Section + "clientRetryOptions:maxDelay", TimeSpan.FromMinutes(1)),
                MaxRetries = json.Number(Section + "clientRetryOptions:maxRetries", 3),
            },
            json.Number(Section + "prefetchCount", 0),
            json.Flag(Section + "autoCompleteMessages", true),
            json.Time(Section + "maxAutoLockRenewalDuration", TimeSpan.FromMinutes(5)),
            json.Number(Section + "maxConcurrentCalls", 16 * Environment.ProcessorCount),
            json.Number(Section + "maxConcurrentSessions", 8),
            json.Number(Section + "maxConcurrentCallsPerSession", 1),
            idle > TimeSpan.Zero ? idle : null,
            json.Number(Section + "maxMessageBatchSize", 1000),
            json.Number(Section + "minMessageBatchSize", 1),
            json.Time(Section + "maxBatchWaitTime", TimeSpan.FromSeconds(30)));
    }

    /// <summary>What the trigger says where it says it, and host.json where it does not: unset is not false.</summary>
    public bool AutoCompletes(Function function) => function.Flag("autoCompleteMessages") ?? AutoCompleteMessages;

    /// <exception cref="InvalidOperationException">The connection is not set.</exception>
    public ServiceBusClient Connect(IConfiguration settings, string? connection, string function)
    {
        var section = StorageConnections.Section(settings, string.IsNullOrEmpty(connection) ? "ServiceBus" : connection);
        var options = new ServiceBusClientOptions { RetryOptions = Retry };
        if (section.Value is { Length: > 0 } text)
            return new ServiceBusClient(text, options);
        return section["fullyQualifiedNamespace"] is { } name
            ? new ServiceBusClient(name, StorageConnections.Credential(section), options)
            : throw new InvalidOperationException(
                $"Function '{function}' needs the Service Bus connection '{section.Path}', which is not set.");
    }
}
