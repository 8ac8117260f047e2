using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Database;
using Payments.Domain.Disputes;
using Payments.Domain.Disputes.Files;

namespace Payments.Functions.Http;

/// <summary>Shows disputes to merchants; takes and shows what only the platform may: imports, unmatched updates and files.</summary>
public sealed class DisputeFunctions(DisputeReads reads, ImportDisputes import, DisputeFileIngestion files)
{
    [Function("ListDisputes")]
    public async Task<IResult> ListAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/disputes")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal) || !Api.Page<DisputeId>(request).TryGet(out var page, out refusal))
            return Problems.Of(refusal);
        if (request.Query.TryGetValue("charge", out var chargeText))
        {
            return PrefixedId.TryParse<ChargeId>(chargeText, out var charge)
                ? Api.List(await reads.OfChargeAsync(merchant, charge, ct), Api.MaximumLimit, DisputeResource.Of, DisputeJson.Default.DisputeResource)
                : Problems.Of(Refusal.Invalid("charge", "A charge's id begins with ch_."));
        }

        DisputeStatus? status = null;
        if (request.Query.TryGetValue("status", out var text))
        {
            if (!DbText.TryParse<DisputeStatus>(text, out var value))
                return Problems.Of(Refusal.Invalid("status", $"A dispute's status is one of {string.Join(", ", Enum.GetValues<DisputeStatus>().Select(DbText.Of))}."));
            status = value;
        }

        DateTimeOffset? dueBefore = null;
        if (request.Query.TryGetValue("due_before", out var before))
        {
            if (!DateTimeOffset.TryParse(before, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var value))
                return Problems.Of(Refusal.Invalid("due_before", "A time is written as in RFC 3339."));
            dueBefore = value;
        }

        var rows = await reads.ListByDueDateAsync(merchant, page.StartingAfter, status, dueBefore, page.Limit + 1, ct);
        return Api.List(rows, page.Limit, DisputeResource.Of, DisputeJson.Default.DisputeResource);
    }

    [Function("GetDispute")]
    public async Task<IResult> GetAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/disputes/{id}")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        return PrefixedId.TryParse<DisputeId>(id, out var dispute) && await reads.GetAsync(merchant, dispute, ct) is { } found
            ? Api.Json(DisputeResource.Of(found), DisputeJson.Default.DisputeResource)
            : Problems.Of(Refusal.NotFound(id));
    }

    [Function("ListDisputeUpdates")]
    public async Task<IResult> HistoryAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/disputes/{id}/updates")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        if (!PrefixedId.TryParse<DisputeId>(id, out var dispute) || await reads.HistoryAsync(merchant, dispute, ct) is not { Count: > 0 } history)
            return Problems.Of(Refusal.NotFound(id));
        return Api.List(history, int.MaxValue, DisputeUpdateResource.Of, DisputeJson.Default.DisputeUpdateResource);
    }

    [Function("ImportDisputes")]
    public async Task<IResult> ImportAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/disputes/import")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        return await Api.PostAsync(
            request, Api.NoMerchant, DisputeJson.Default.ImportDisputesRequest, (idempotent, input) => import.HandleAsync(idempotent, input, ct), ct);
    }

    [Function("ListUnmatchedDisputeUpdates")]
    public async Task<IResult> UnmatchedAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/unmatched_dispute_updates")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        if (!Api.Page<DisputeId>(request).TryGet(out var page, out var refusal))
            return Problems.Of(refusal);
        var rows = await reads.ListUnmatchedAsync(request.Query["provider"], page.Limit + 1, ct);
        return Api.List(rows, page.Limit, DisputeUpdateResource.Of, DisputeJson.Default.DisputeUpdateResource);
    }

    [Function("ListDisputeFiles")]
    public async Task<IResult> FilesAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/dispute_files")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        if (!Api.Page<DisputeId>(request).TryGet(out var page, out var refusal))
            return Problems.Of(refusal);
        var rows = await files.ListAsync(request.Query["partner"], page.Limit + 1, ct);
        return Api.List(rows, page.Limit, DisputeFileResource.Of, DisputeFileJson.Default.DisputeFileResource);
    }
}
