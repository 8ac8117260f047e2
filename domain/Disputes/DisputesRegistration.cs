using Azure.Storage.Blobs;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using Payments.Domain.Database;
using Payments.Domain.Disputes.Evidence;
using Payments.Domain.Disputes.Files;
using Payments.Domain.Disputes.Warnings;
using Payments.Domain.Providers.Sandbox;
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
        services.AddSingleton<DisputeSettings>();
        services.AddSingleton<RefundWarnings>();
        services.AddSingleton<DisputeFileIngestion>();
        services.AddSingleton(new DisputePartners(configuration));
        services.AddSingleton(provider => new EvidenceScanner(
            provider.GetRequiredService<IHttpClientFactory>().CreateClient("evidence-scanner"),
            configuration["Disputes:EvidenceScanner"] is { Length: > 0 } address ? new Uri(address) : null));
        services.AddSingleton(provider => new EvidenceFolder(
            provider.GetRequiredService<NpgsqlDataSource>(),
            provider.GetRequiredService<DisputeReads>(),
            provider.GetRequiredService<BlobServiceClient>(),
            provider.GetRequiredService<EvidenceScanner>(),
            provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<IDisputeProvider>(provider =>
            new SandboxDisputeProvider(provider.GetRequiredService<IHttpClientFactory>().CreateClient(SandboxDisputes.Provider)));
        services.AddSingleton<RespondToDispute>();
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
        return services;
    }
}
