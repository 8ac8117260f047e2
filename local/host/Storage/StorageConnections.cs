using Azure.Core;
using Azure.Identity;
using Azure.Storage.Blobs;
using Azure.Storage.Queues;
using Microsoft.Extensions.Configuration;

namespace FunctionsHost.Storage;

/// <summary>
/// Clients for the storage account that a trigger's <c>Connection</c> names: a connection string, or an identity
/// (<c>Name__queueServiceUri</c>, <c>Name__blobServiceUri</c> or <c>Name__accountName</c>, with <c>Name__clientId</c>).
/// </summary>
internal sealed class StorageConnections(IConfiguration settings)
{
    public const string Default = "AzureWebJobsStorage";

    /// <summary>Names without their prefix are found too, as the platform's own connection is <c>AzureWebJobsStorage</c>.</summary>
    public static IConfigurationSection Section(IConfiguration settings, string name) =>
        settings.GetSection("AzureWebJobs" + name) is { } prefixed && prefixed.Exists() ? prefixed : settings.GetSection(name);

    /// <exception cref="InvalidOperationException">The connection is not set.</exception>
    public QueueServiceClient Queues(string? connection, string function)
    {
        // Bodies are decoded by the listener, so that one that cannot be decoded is retried and poisoned like any other failure.
        var options = new QueueClientOptions { MessageEncoding = QueueMessageEncoding.None };
        var section = SectionOf(connection);
        if (section.Value is { Length: > 0 } text)
            return new QueueServiceClient(text, options);
        return new QueueServiceClient(ServiceUri(section, "queue", function), Credential(section), options);
    }

    /// <inheritdoc cref="Queues"/>
    public BlobServiceClient Blobs(string? connection, string function)
    {
        var section = SectionOf(connection);
        if (section.Value is { Length: > 0 } text)
            return new BlobServiceClient(text);
        return new BlobServiceClient(ServiceUri(section, "blob", function), Credential(section));
    }

    public static TokenCredential Credential(IConfigurationSection section) =>
        string.Equals(section["credential"], "managedidentity", StringComparison.OrdinalIgnoreCase)
            ? new ManagedIdentityCredential(
                section["clientId"] is { } id ? ManagedIdentityId.FromUserAssignedClientId(id) : ManagedIdentityId.SystemAssigned)
            : new DefaultAzureCredential();

    private IConfigurationSection SectionOf(string? connection) =>
        string.IsNullOrEmpty(connection) ? settings.GetSection(Default) : Section(settings, connection);

    private static Uri ServiceUri(IConfigurationSection section, string service, string function)
    {
        var text = section[service + "ServiceUri"] ?? section["serviceUri"]
            ?? (section["accountName"] is { } account ? $"https://{account}.{service}.core.windows.net" : null);
        return text is not null
            ? new Uri(text)
            : throw new InvalidOperationException(
                $"Function '{function}' needs the storage connection '{section.Path}', which is not set.");
    }
}
