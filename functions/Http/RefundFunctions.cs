using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Charges;
using Payments.Domain.Database;
using Payments.Domain.Refunds;

namespace Payments.Functions.Http;

/// <summary>Creates and shows refunds.</summary>
public sealed class RefundFunctions(ChargeOperations operations, RefundReads reads)
{
    [Function("CreateRefund")]
    public Task<IResult> CreateAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/refunds")] HttpRequest request, FunctionContext context, CancellationToken ct) =>
        Api.PostAsync(request, context, ChargeJson.Default.CreateRefundRequest, (idempotent, input) => operations.RefundAsync(idempotent, input, ct), ct);

    [Function("GetRefund")]
    public async Task<IResult> GetAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/refunds/{id}")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        return PrefixedId.TryParse<RefundId>(id, out var refund) && await reads.GetAsync(merchant, refund, ct) is { } found
            ? Api.Json(RefundResource.Of(found), ChargeJson.Default.RefundResource)
            : Problems.Of(Refusal.NotFound(id));
    }

    [Function("ListRefunds")]
    public async Task<IResult> ListAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/refunds")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal) || !Api.Page<RefundId>(request).TryGet(out var page, out refusal))
            return Problems.Of(refusal);
        ChargeId? charge = null;
        if (request.Query.TryGetValue("charge", out var text))
        {
            if (!PrefixedId.TryParse<ChargeId>(text, out var id))
                return Problems.Of(Refusal.Invalid("charge", "`charge` must be the id of a charge, such as ch_...."));
            charge = id;
        }

        RefundStatus? status = null;
        if (request.Query.TryGetValue("status", out text))
        {
            if (!DbText.TryParse<RefundStatus>(text, out var value))
                return Problems.Of(Refusal.Invalid("status", $"`status` must be one of {string.Join(", ", Enum.GetValues<RefundStatus>().Select(DbText.Of))}."));
            status = value;
        }

        var rows = await reads.ListAsync(merchant, page.Limit + 1, page.StartingAfter, charge, status, ct);
        return Api.List(rows, page.Limit, RefundResource.Of, ChargeJson.Default.RefundResource);
    }
}
