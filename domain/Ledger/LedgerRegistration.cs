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
}
