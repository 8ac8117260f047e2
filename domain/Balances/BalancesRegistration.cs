using Microsoft.Extensions.DependencyInjection;

namespace Payments.Domain.Balances;

public static class BalancesRegistration
{
    public static IServiceCollection AddBalances(this IServiceCollection services) =>
        services.AddSingleton<MerchantBalances>().AddSingleton<BalanceTransactionReads>();
}
