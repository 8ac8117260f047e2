using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Disputes.Evidence;

namespace Payments.Functions.Http;

/// <summary>A merchant's response to a dispute: collect evidence, submit it, or accept the dispute.</summary>
public sealed class DisputeEvidenceFunctions(EvidenceFolder folder, RespondToDispute respond)
{
    [Function("GetDisputeEvidence")]
    public Task<IResult> GetAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/disputes/{id}/evidence")] HttpRequest request, string id, FunctionContext context, CancellationToken ct) =>
        ShowAsync(request, id, context, (merchant, dispute) => folder.GetAsync(merchant, dispute, ct));

    [Function("SuggestDisputeEvidence")]
    public Task<IResult> SuggestAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/disputes/{id}/evidence/suggestion")] HttpRequest request, string id, FunctionContext context, CancellationToken ct) =>
        ShowAsync(request, id, context, (merchant, dispute) => folder.SuggestAsync(merchant, dispute, ct));

    /// <summary>It needs no Idempotency-Key, because a repeat changes nothing.</summary>
    [Function("SaveDisputeEvidence")]
    public async Task<IResult> SaveAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "put", Route = "v1/disputes/{id}/evidence")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!(await Api.ReadAsync(request, EvidenceJson.Default.SaveEvidenceRequest, ct)).TryGet(out var body, out var refusal))
            return Problems.Of(refusal);
        return await ShowAsync(request, id, context, (merchant, dispute) => folder.SaveAsync(merchant, dispute, body.Value, ct));
    }

    /// <summary>The body is the file. It is stored under the hash of its content, so a repeat changes nothing.</summary>
    [Function("AddDisputeEvidenceFile")]
    public async Task<IResult> AddFileAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "put", Route = "v1/disputes/{id}/evidence/files")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!(await Api.ReadBytesAsync(request, EvidenceRules.MaximumFile, ct)).TryGet(out var content, out var refusal))
            return Problems.Of(refusal);
        return await ShowAsync(
            request, id, context, (merchant, dispute) => folder.AddFileAsync(merchant, dispute, request.Query["purpose"].ToString(), request.Query["name"].ToString(), content, ct));
    }

    [Function("RemoveDisputeEvidenceFile")]
    public Task<IResult> RemoveFileAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "delete", Route = "v1/disputes/{id}/evidence/files/{hash}")] HttpRequest request, string id, string hash, FunctionContext context,
        CancellationToken ct) => ShowAsync(request, id, context, (merchant, dispute) => folder.RemoveFileAsync(merchant, dispute, hash, ct));

    [Function("SubmitDisputeEvidence")]
    public Task<IResult> SubmitAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/disputes/{id}/submit")] HttpRequest request, string id, FunctionContext context, CancellationToken ct) =>
        RespondAsync(request, id, context, DisputeResponseKind.Submit, ct);

    [Function("AcceptDispute")]
    public Task<IResult> AcceptAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/disputes/{id}/accept")] HttpRequest request, string id, FunctionContext context, CancellationToken ct) =>
        RespondAsync(request, id, context, DisputeResponseKind.Accept, ct);

    private static async Task<IResult> ShowAsync(
        HttpRequest request, string id, FunctionContext context, Func<MerchantId, DisputeId, Task<Result<EvidencePack>>> operation)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        if (!PrefixedId.TryParse<DisputeId>(id, out var dispute))
            return Problems.Of(Refusal.NotFound(id));
        return (await operation(merchant, dispute)).Match(
            pack => Api.Json(EvidenceResource.Of(dispute, pack), EvidenceJson.Default.EvidenceResource),
            Problems.Of);
    }

    private async Task<IResult> RespondAsync(HttpRequest request, string id, FunctionContext context, DisputeResponseKind kind, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        if (!PrefixedId.TryParse<DisputeId>(id, out var dispute))
            return Problems.Of(Refusal.NotFound(id));
        if (!(await Api.ReadBytesAsync(request, Api.MaximumBody, ct)).TryGet(out var body, out refusal)
            || !Api.Idempotent(request, merchant, body).TryGet(out var idempotent, out refusal))
        {
            return Problems.Of(refusal);
        }

        return Api.Stored(await respond.HandleAsync(idempotent, dispute, kind, context.Actor(), ct));
    }
}
