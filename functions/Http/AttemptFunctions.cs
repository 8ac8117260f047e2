using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Charges;
using Payments.Domain.Database;
using Payments.Domain.Providers;

namespace Payments.Functions.Http;

/// <summary>Attempts that need an operator, because they are still open or contradicted. Only for platform keys.</summary>
public sealed class AttemptFunctions(AttemptReads reads, SettleAttempt settle)
{
    [Function("ListAttempts")]
    public async Task<IResult> ListAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/attempts")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        if (!Api.Limit(request).TryGet(out var limit, out var refusal))
            return Problems.Of(refusal);
        var filter = AttemptFilter.Unsettled;
        if (request.Query.TryGetValue("state", out var text) && !DbText.TryParse(text, out filter))
            return Problems.Of(Refusal.Invalid("state", $"`state` must be one of {string.Join(", ", Enum.GetValues<AttemptFilter>().Select(DbText.Of))}."));
        AttemptReference? after = null;
        if (request.Query.TryGetValue("starting_after", out text))
        {
            if (!AttemptReference.TryParse(text, out var cursor))
                return Problems.Of(Refusal.Invalid("starting_after", "`starting_after` must be the reference of the last attempt of the previous page, such as pf_...."));
            after = cursor;
        }

        string? provider = request.Query["provider"];
        var rows = await reads.ListAsync(filter, provider, after?.Attempt, limit + 1, ct);
        return Api.List(rows, limit, OperatorAttemptResource.Of, OperatorAttemptJson.Default.OperatorAttemptResource);
    }

    [Function("GetAttempt")]
    public async Task<IResult> GetAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/attempts/{reference}")] HttpRequest request, string reference, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        return AttemptReference.TryParse(reference, out var parsed) && await reads.GetAsync(parsed, ct) is { } found
            ? Api.Json(found, OperatorAttemptJson.Default.OperatorAttemptResource)
            : Problems.Of(Refusal.NotFound(reference));
    }

    [Function("SettleAttempt")]
    public async Task<IResult> SettleAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/attempts/{reference}/settle")] HttpRequest request, string reference, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        return AttemptReference.TryParse(reference, out var parsed)
            ? await Api.PostAsync(
                request, Api.NoMerchant, OperatorAttemptJson.Default.SettleAttemptRequest, (idempotent, input) => settle.SettleAsync(idempotent, parsed, input, context.Actor(), ct), ct)
            : Problems.Of(Refusal.NotFound(reference));
    }

    [Function("AcknowledgeAttempt")]
    public async Task<IResult> AcknowledgeAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/attempts/{reference}/acknowledge")] HttpRequest request, string reference, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        return AttemptReference.TryParse(reference, out var parsed)
            ? await Api.PostAsync(
                request, Api.NoMerchant, OperatorAttemptJson.Default.AcknowledgeRequest, (idempotent, input) => settle.AcknowledgeAsync(idempotent, parsed, input, context.Actor(), ct), ct)
            : Problems.Of(Refusal.NotFound(reference));
    }
}
