using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Payments.Domain.Database;
using Payments.Domain.Refunds;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Charges;

public static class ChargesRegistration
{
    public static IServiceCollection AddCharges(this IServiceCollection services)
    {
        services.AddSingleton(provider => new GroupCommit<ChargeIntent, bool>(
            "charge-intents", provider.GetRequiredService<NpgsqlDataSource>(), ChargeIntent.RecordAsync, new GroupCommitOptions(), provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(provider => new GroupCommit<OperationIntent, OperationStart>(
            "operation-intents", provider.GetRequiredService<NpgsqlDataSource>(), OperationIntents.RecordAsync, new GroupCommitOptions(), provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<AttemptOutcomes>();
        services.AddSingleton<CreateCharge>();
        services.AddSingleton<ChargeOperations>();
        services.AddSingleton<CompleteCharge>();
        services.AddSingleton<ExpireCharges>();
        services.AddSingleton<RefundReads>();
        services.AddSingleton<ResolveAttempts>();
        services.AddSingleton<ChargeReads>();
        services.AddSingleton<ChargeAttempts>();
        services.AddProviderEventApplier<ChargeEventApplier>();
        return services;
    }
}
