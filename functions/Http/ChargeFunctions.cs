using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Charges;

namespace Payments.Functions.Http;

/// <summary>Creates, captures, cancels and shows charges.</summary>
public sealed class ChargeFunctions(CreateCharge create, ChargeOperations operations, CompleteCharge complete, ChargeReads reads)
{
    [Function("CreateCharge")]
    public Task<IResult> CreateAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/charges")] HttpRequest request, FunctionContext context, CancellationToken ct) =>
        Api.PostAsync(request, context, ChargeJson.Default.CreateChargeRequest, (idempotent, input) => create.HandleAsync(idempotent, input, ct), ct);

    [Function("CaptureCharge")]
    public Task<IResult> CaptureAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/charges/{id}/capture")] HttpRequest request, string id, FunctionContext context, CancellationToken ct) =>
        PrefixedId.TryParse<ChargeId>(id, out var charge)
            ? Api.PostAsync(request, context, ChargeJson.Default.CaptureChargeRequest, (idempotent, input) => operations.CaptureAsync(idempotent, charge, input, ct), ct)
            : Task.FromResult(Problems.Of(Refusal.NotFound(id)));

    [Function("CancelCharge")]
    public Task<IResult> CancelAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/charges/{id}/cancel")] HttpRequest request, string id, FunctionContext context, CancellationToken ct) =>
        PrefixedId.TryParse<ChargeId>(id, out var charge)
            ? Api.PostAsync(request, context, ChargeJson.Default.CancelChargeRequest, (idempotent, _) => operations.CancelAsync(idempotent, charge, ct), ct)
            : Task.FromResult(Problems.Of(Refusal.NotFound(id)));

    /// <summary>It needs no Idempotency-Key, because a repeat has no second effect: every call answers with the current charge.</summary>
    [Function("CompleteCharge")]
    public async Task<IResult> CompleteAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/charges/{id}/complete")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        if (!PrefixedId.TryParse<ChargeId>(id, out var charge))
            return Problems.Of(Refusal.NotFound(id));
        if (!(await Api.ReadAsync(request, ChargeJson.Default.CompleteChargeRequest, ct)).TryGet(out var body, out refusal))
            return Problems.Of(refusal);
        return (await complete.HandleAsync(merchant, charge, body.Value, ct)).Match(found => Api.Json(ChargeResource.Of(found), ChargeJson.Default.ChargeResource), Problems.Of);
    }

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
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal) || !Api.Page<ChargeId>(request).TryGet(out var page, out refusal)
            || !ListFilters.Charges(request).TryGet(out var filter, out refusal))
        {
            return Problems.Of(refusal);
        }

        var rows = await reads.ListAsync(merchant, filter, page.Limit + 1, page.StartingAfter, ct);
        return Api.List(rows, page.Limit, ChargeResource.Of, ChargeJson.Default.ChargeResource);
    }
}
