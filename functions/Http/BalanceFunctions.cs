using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Balances;

namespace Payments.Functions.Http;

/// <summary>A merchant's balance, and the balance transactions that it results from.</summary>
public sealed class BalanceFunctions(MerchantBalances balances, BalanceTransactionReads transactions)
{
    [Function("GetBalance")]
    public async Task<IResult> GetAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/balance")] HttpRequest request, FunctionContext context, CancellationToken ct) =>
        context.Merchant(request).TryGet(out var merchant, out var refusal)
            ? Api.Json(await balances.GetAsync(merchant, ct), BalanceJson.Default.BalanceResource)
            : Problems.Of(refusal);

    [Function("ListBalanceTransactions")]
    public async Task<IResult> ListAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/balance_transactions")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal) || !Api.Page<BalanceTransactionId>(request).TryGet(out var page, out refusal)
            || !ListFilters.BalanceTransactions(request).TryGet(out var filter, out refusal))
        {
            return Problems.Of(refusal);
        }

        var rows = await transactions.ListAsync(merchant, filter, page.Limit + 1, page.StartingAfter, ct);
        return Api.List(rows, page.Limit, row => row, BalanceTransactionJson.Default.BalanceTransactionResource);
    }

    [Function("GetBalanceTransaction")]
    public async Task<IResult> GetTransactionAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/balance_transactions/{id}")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        return PrefixedId.TryParse<BalanceTransactionId>(id, out var transaction) && await transactions.GetAsync(merchant, transaction, ct) is { } found
            ? Api.Json(found, BalanceTransactionJson.Default.BalanceTransactionResource)
            : Problems.Of(Refusal.NotFound(id));
    }
}
