using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Charges;
using Payments.Domain.Database;

namespace Payments.Functions.Http;

/// <summary>Takes and shows charges.</summary>
public sealed class ChargeFunctions(CreateCharge create, ChargeReads reads)
{
    [Function("CreateCharge")]
    public Task<IResult> CreateAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/charges")] HttpRequest request, FunctionContext context, CancellationToken ct) =>
        Api.PostAsync(request, context, ChargeJson.Default.CreateChargeRequest, (idempotent, input) => create.HandleAsync(idempotent, input, ct), ct);

    [Function("GetCharge")]
    public async Task<IResult> GetAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/charges/{id}")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        return PrefixedId.TryParse<ChargeId>(id, out var charge) && await reads.GetAsync(merchant, charge, ct) is { } found
            ? Api.Json(ChargeResource.Of(found), ChargeJson.Default.ChargeResource)
            : Problems.Of(Refusal.NotFound(id));
    }

    [Function("ListCharges")]
    public async Task<IResult> ListAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/charges")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal) || !Api.Page<ChargeId>(request).TryGet(out var page, out refusal))
            return Problems.Of(refusal);
        ChargeStatus? status = null;
        if (request.Query.TryGetValue("status", out var text))
        {
            if (!DbText.TryParse<ChargeStatus>(text, out var value))
                return Problems.Of(Refusal.Invalid("status", $"A charge's status is one of {string.Join(", ", Enum.GetValues<ChargeStatus>().Select(DbText.Of))}."));
            status = value;
        }

        var rows = await reads.ListAsync(merchant, page.Limit + 1, page.StartingAfter, status, ct);
        return Api.List(rows, page.Limit, ChargeResource.Of, ChargeJson.Default.ChargeResource);
    }
}
