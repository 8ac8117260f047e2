using Azure.Storage.Blobs;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Npgsql;
using Payments.Domain.Balances;
using Payments.Domain.Database;
using Payments.Domain.Idempotency;
using Payments.Domain.Messaging;
using Payments.Domain.Storage;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Payouts;

public static class PayoutsRegistration
{
    /// <summary>Needs the data source, the ledger, messaging and idempotency to be registered. Settings stand under <c>Payouts</c>.</summary>
    public static IServiceCollection AddPayouts(this IServiceCollection services, IConfiguration configuration)
    {
        DatabaseTypes.AddId<BankAccountId>();
        var options = new PayoutsOptions();
        configuration.GetSection("Payouts").Bind(options);
        options.Validate();
        var bank = options.BankAddress?.ToString() ?? configuration["Providers:Sandbox:BaseAddress"];
        options.HasBankApi = bank is not null;
        services.AddSingleton(options);
        services.TryAddSingleton(_ => BlobStorage.Connect(configuration));
        services.AddSingleton<IPayoutFileStore>(provider => options.FileFolder is { Length: > 0 } folder
            ? new FolderPayoutFileStore(folder)
            : new BlobPayoutFileStore(provider.GetRequiredService<BlobServiceClient>()));
        services.AddSingleton(_ => new SandboxBank(new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
        {
            BaseAddress = new Uri(bank ?? "http://127.0.0.1:7090"),
            Timeout = options.BankTimeout,
            DefaultRequestHeaders = { Authorization = new("Bearer", options.BankApiKey ?? configuration["Providers:Sandbox:ApiKey"]) },
        }));
        services.AddSingleton<ReleaseFunds>();
        services.AddSingleton<PayoutWriter>();
        services.AddSingleton<PayoutFiles>();
        services.AddSingleton(provider => new RunPayouts(
            provider.GetRequiredService<NpgsqlDataSource>(), provider.GetRequiredService<ReleaseFunds>(),
                provider.GetRequiredService<PayoutWriter>(), provider.GetRequiredService<PayoutFiles>(), options,
                provider.GetRequiredService<OutboxSignal>(),
            provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<RunPayouts>>()));
        services.AddSingleton(provider => new ManualPayouts(
            provider.GetRequiredService<IdempotencyStore>(), provider.GetRequiredService<ReleaseFunds>(),
                provider.GetRequiredService<PayoutWriter>(), provider.GetRequiredService<PayoutResults>(), options,
                provider.GetRequiredService<OutboxSignal>(),
            provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<PayoutResults>();
        services.AddSingleton<SubmitPayout>();
        services.AddSingleton<IMessageHandler>(provider => provider.GetRequiredService<SubmitPayout>());
        services.AddProviderEvents<SandboxPayoutEvents>();
        services.AddProviderEventApplier<ApplyPayoutNews>();
        services.AddSingleton<BankReports>();
        services.AddSingleton<UnmatchedBankItems>();
        services.AddSingleton<BankInbox>();
        services.AddSingleton<PayoutChecks>();
        services.AddSingleton<PayoutReads>();
        services.AddSingleton<PayoutPreviews>();
        services.AddSingleton<ManagePayoutSettings>();
        return services;
    }
}
