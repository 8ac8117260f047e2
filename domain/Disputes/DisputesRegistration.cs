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
            provider.GetRequiredService<BlobServiceClient>(),
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
}
