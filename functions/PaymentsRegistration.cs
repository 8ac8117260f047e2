using Azure.Identity;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Payments.Domain;
using Payments.Domain.Balances;
using Payments.Domain.Charges;
using Payments.Domain.Database;
using Payments.Domain.Disputes;
using Payments.Domain.Ledger;
using Payments.Domain.Merchants;
using Payments.Domain.Messaging;
using Payments.Domain.Observability;
using Payments.Domain.Payouts;
using Payments.Domain.Privacy;
using Payments.Domain.Providers;
using Payments.Domain.Storage;
using Payments.Domain.Webhooks;
using Payments.Functions.Health;

namespace Payments.Functions;

/// <summary>Registers the capabilities of the app. Each capability registers its own services.</summary>
internal static class PaymentsRegistration
{
    public static IServiceCollection AddPayments(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSingleton<TimeProvider>(new PlatformClock());
        services.AddSingleton<NpgsqlDataSource>(_ => CreateDataSource(configuration));
        services.AddSingleton(_ => BlobStorage.Connect(configuration));
        services.AddLedger();
        services.AddSealArchive(configuration);
        services.AddBalances();
        services.AddMessaging(configuration);
        services.AddWebhooks(configuration);
        services.AddMerchants(configuration);
        services.AddProviders(configuration);
        services.AddCharges();
        services.AddDisputes(configuration);
        services.AddPayouts(configuration);
        services.AddPrivacy();
        services.AddObservability();
        services.AddSingleton<Readiness>();
        return services;
    }

    private static NpgsqlDataSource CreateDataSource(IConfiguration configuration)
    {
        var connectionString = configuration.GetConnectionString("Postgres")
            ?? throw new InvalidOperationException(
                "ConnectionStrings__Postgres is missing. Set it to the connection string of the app's database login.");
        var usesEntra = new NpgsqlConnectionStringBuilder(connectionString).Password is null or "" && configuration.GetValue("Database:EntraAuthentication", false);
        return PaymentsDataSource.Create(connectionString, usesEntra ? new DefaultAzureCredential() : null);
    }
}
