using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Payments.Domain.Ledger;

public static class LedgerRegistration
{
    /// <summary>Needs an <c>NpgsqlDataSource</c>.</summary>
    public static IServiceCollection AddLedger(this IServiceCollection services)
    {
        services.AddSingleton<LedgerPosting>();
        services.AddSingleton<LedgerReads>();
        services.AddSingleton<LedgerSealing>();
        services.AddSingleton<LedgerVerification>();
        return services;
    }

    /// <summary>Needs a <c>BlobServiceClient</c> beside the ledger.</summary>
    public static IServiceCollection AddSealArchive(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSingleton(configuration.GetSection("Ledger:SealArchive").Get<SealArchiveOptions>() ?? new SealArchiveOptions());
        services.AddSingleton<SealArchive>();
        return services;
    }
}
