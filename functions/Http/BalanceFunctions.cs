using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain.Balances;

namespace Payments.Functions.Http;

/// <summary>What a merchant has.</summary>
public sealed class BalanceFunctions(MerchantBalances balances)
{
    [Function("GetBalance")]
    public async Task<IResult> GetAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/balance")] HttpRequest request, FunctionContext context, CancellationToken ct) =>
        context.Merchant(request).TryGet(out var merchant, out var refusal)
            ? Api.Json(await balances.GetAsync(merchant, ct), BalanceJson.Default.BalanceResource)
            : Problems.Of(refusal);
}
