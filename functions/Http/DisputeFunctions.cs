using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Database;
using Payments.Domain.Disputes;
using Payments.Domain.Disputes.Files;

namespace Payments.Functions.Http;

/// <summary>Shows disputes to merchants. Only platform keys may import disputes, or see unmatched updates and files.</summary>
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
                : Problems.Of(Refusal.Invalid("charge", "`charge` must be the id of a charge, such as ch_...."));
        }

        DisputeStatus? status = null;
        if (request.Query.TryGetValue("status", out var text))
        {
            if (!DbText.TryParse<DisputeStatus>(text, out var value))
                return Problems.Of(Refusal.Invalid("status", $"`status` must be one of {string.Join(", ", Enum.GetValues<DisputeStatus>().Select(DbText.Of))}."));
            status = value;
        }

        if (!Api.Time(request, "due_before").TryGet(out var dueBefore, out refusal))
            return Problems.Of(refusal);
        var rows = await reads.ListByDueDateAsync(merchant, page.StartingAfter, status, dueBefore.At, page.Limit + 1, ct);
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
            request, Api.NoMerchant, DisputeJson.Default.ImportDisputesRequest, (idempotent, input) => import.HandleAsync(idempotent, input, context.Actor(), ct), ct);
    }

    [Function("ListUnmatchedDisputeUpdates")]
    public async Task<IResult> UnmatchedAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/unmatched_dispute_updates")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        if (!Api.Limit(request).TryGet(out var limit, out var refusal))
            return Problems.Of(refusal);
        UnmatchedCursor? after = null;
        if (request.Query.TryGetValue("starting_after", out var text))
        {
            if (!UnmatchedCursor.TryParse(text, out var cursor))
            {
                return Problems.Of(Refusal.Invalid(
                    "starting_after", "`starting_after` must be the cursor of the last update of the previous page."));
            }

            after = cursor;
        }

        var rows = await reads.ListUnmatchedAsync(request.Query["provider"], after, limit + 1, ct);
        return Api.List(rows, limit, DisputeUpdateResource.Waiting, DisputeJson.Default.DisputeUpdateResource);
    }

    [Function("ListDisputeFiles")]
    public async Task<IResult> FilesAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/dispute_files")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        if (!Api.Limit(request).TryGet(out var limit, out var refusal))
            return Problems.Of(refusal);
        (string, byte[])? after = null;
        if (request.Query.TryGetValue("starting_after", out var text))
        {
            var slash = text.ToString().IndexOf('/', StringComparison.Ordinal);
            if (slash < 0 || Hash(text.ToString()[(slash + 1)..]) is not { } hash)
            {
                return Problems.Of(Refusal.Invalid(
                    "starting_after", "`starting_after` must be the id of the last file of the previous page."));
            }

            after = (text.ToString()[..slash], hash);
        }

        var rows = await files.ListAsync(request.Query["partner"], after, limit + 1, ct);
        return Api.List(rows, limit, DisputeFileResource.Of, DisputeFileJson.Default.DisputeFileResource);
    }

    [Function("GetDisputeFile")]
    public async Task<IResult> FileAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/dispute_files/{partner}/{hash}")] HttpRequest request, string partner, string hash, FunctionContext context,
        CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        return Hash(hash) is { } bytes && await files.GetAsync(partner, bytes, ct) is { } file
            ? Api.Json(DisputeFileResource.Of(file), DisputeFileJson.Default.DisputeFileResource)
            : Problems.Of(Refusal.NotFound($"{partner}/{hash}"));
    }

    /// <summary>Returns the rejects as they are in the container <c>disputes-rejected</c>.</summary>
    [Function("ListDisputeFileRejects")]
    public async Task<IResult> RejectsAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/dispute_files/{partner}/{hash}/rejects")] HttpRequest request, string partner, string hash, FunctionContext context,
        CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        if (!Api.Limit(request).TryGet(out var limit, out var refusal))
            return Problems.Of(refusal);
        var after = 0L;
        if (request.Query.TryGetValue("starting_after", out var text) && !long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out after))
        {
            return Problems.Of(Refusal.Invalid(
                "starting_after", "`starting_after` must be the number of the last line of the previous page."));
        }

        if (Hash(hash) is not { } bytes || await files.GetAsync(partner, bytes, ct) is null)
            return Problems.Of(Refusal.NotFound($"{partner}/{hash}"));
        var rows = new List<DisputeFileReject>();
        await foreach (var reject in files.RejectsAsync(partner, bytes, after, limit + 1, ct))
            rows.Add(reject);
        return Api.List(rows, limit, DisputeFileRejectResource.Of, DisputeFileJson.Default.DisputeFileRejectResource);
    }

    /// <summary>The SHA-256 from its hexadecimal text, or null.</summary>
    private static byte[]? Hash(string text) => text.Length == 64 && text.All(char.IsAsciiHexDigit) ? Convert.FromHexString(text) : null;
}
