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
        services.AddOptions<ChargesOptions>().BindConfiguration("Charges")
            .Validate(options => options.AreValid(), "Each entry of Charges__Limits must be named by an ISO 4217 currency code. "
                + "Its Minimum must be at least 1, and its Maximum at least the Minimum and at most 999999999999.");
        services.AddSingleton(provider => new GroupCommit<ChargeIntent, RecordedIntent>(
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
        services.AddSingleton<AttemptReads>();
        services.AddSingleton<SettleAttempt>();
        services.AddSingleton<OperationsElsewhere>();
        services.AddSingleton<OverdueAttempts>();
        services.AddProviderEventApplier<ChargeEventApplier>();
        return services;
    }
}
