using Azure.Core;
using Azure.Identity;
using Azure.Storage.Blobs;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using Payments.Domain.Database;
using Payments.Domain.Disputes.Files;
using Payments.Domain.Providers.Adyen;
using Payments.Domain.Providers.Sandbox;
using Payments.Domain.Providers.Stripe;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Disputes;

public static class DisputesRegistration
{
    public static IServiceCollection AddDisputes(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSingleton<DisputeIngestion>();
        services.AddSingleton<DisputeReads>();
        services.AddSingleton<ImportDisputes>();
        services.AddSingleton<DisputeDeadlines>();
        services.AddSingleton<DisputeFileIngestion>();
        services.AddSingleton(new DisputePartners(configuration));
        services.AddSingleton(provider => new DisputeInbox(
            Blobs(configuration),
            provider.GetRequiredService<DisputeFileIngestion>(),
            provider.GetRequiredService<DisputePartners>(),
            provider.GetRequiredService<ILogger<DisputeInbox>>()));
        services.AddSingleton(provider => new GroupCommit<DisputeUpdate, DisputeIngestionResult>(
            "disputes",
            provider.GetRequiredService<NpgsqlDataSource>(),
            async (connection, transaction, updates, ct) => await provider.GetRequiredService<DisputeIngestion>().ApplyAsync(connection, transaction, updates, ct),
            new GroupCommitOptions(),
            provider.GetRequiredService<TimeProvider>()));
        services.AddProviderEventApplier<DisputeEventApplier>();
        services.AddProviderEvents<SandboxDisputeMapper>();
        services.AddProviderEvents<StripeDisputeMapper>();
        services.AddProviderEvents<AdyenDisputeMapper>();
        return services;
    }

    private static BlobServiceClient Blobs(IConfiguration configuration)
    {
        var section = configuration.GetSection("AzureWebJobsStorage");
        if (section["blobServiceUri"] is { Length: > 0 } uri)
        {
            TokenCredential credential = section["clientId"] is { Length: > 0 } client
                ? new ManagedIdentityCredential(ManagedIdentityId.FromUserAssignedClientId(client))
                : new DefaultAzureCredential();
            return new BlobServiceClient(new Uri(uri), credential);
        }

        return section.Value is { Length: > 0 } connection
            ? new BlobServiceClient(connection)
            : throw new InvalidOperationException("AzureWebJobsStorage (or AzureWebJobsStorage__blobServiceUri) is missing: there is nowhere for dispute files.");
    }
}
