using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Merchants;

namespace Payments.Functions.Http;

/// <summary>Merchants and their keys. Only for platform keys, except that a merchant may read itself.</summary>
public sealed class MerchantFunctions(CreateMerchant create, MerchantReads reads, ApiKeys keys)
{
    [Function("CreateMerchant")]
    public async Task<IResult> CreateAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/merchants")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } refusal)
            return Problems.Of(refusal);
        return await Api.PostAsync(
            request, Api.NoMerchant, MerchantJson.Default.CreateMerchantRequest, (idempotent, input) => create.HandleAsync(idempotent, input, context.Actor(), ct), ct);
    }

    [Function("ListMerchants")]
    public async Task<IResult> ListAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/merchants")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        if (!Api.Page<MerchantId>(request).TryGet(out var page, out var refusal))
            return Problems.Of(refusal);
        if (!Api.Mode(request).TryGet(out var mode, out refusal))
            return Problems.Of(refusal);
        var rows = await reads.ListAsync(mode, page.Limit + 1, page.StartingAfter, ct);
        return Api.List(rows, page.Limit, MerchantResource.Of, MerchantJson.Default.MerchantResource);
    }

    [Function("GetMerchant")]
    public async Task<IResult> GetAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/merchants/{id}")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!PrefixedId.TryParse<MerchantId>(id, out var merchant) || (context.Caller().Merchant is { } own && own != merchant))
            return Problems.Of(Refusal.NotFound(id));
        return await reads.GetAsync(merchant, ct) is { } found
            ? Api.Json(MerchantResource.Of(found), MerchantJson.Default.MerchantResource)
            : Problems.Of(Refusal.NotFound(id));
    }

    [Function("CreateApiKey")]
    public async Task<IResult> CreateKeyAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/merchants/{id}/api_keys")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } refusal)
            return Problems.Of(refusal);
        if (!PrefixedId.TryParse<MerchantId>(id, out var merchant))
            return Problems.Of(Refusal.NotFound(id));
        return await Api.PostAsync(
            request, Api.NoMerchant, MerchantJson.Default.CreateApiKeyRequest, (idempotent, input) => keys.CreateAsync(idempotent, merchant, input, context.Actor(), ct), ct);
    }

    [Function("ListApiKeys")]
    public async Task<IResult> ListKeysAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/merchants/{id}/api_keys")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } refusal)
            return Problems.Of(refusal);
        if (!PrefixedId.TryParse<MerchantId>(id, out var merchant))
            return Problems.Of(Refusal.NotFound(id));
        var rows = await keys.ListAsync(merchant, ct);
        return Api.List(rows, int.MaxValue, key => ApiKeyResource.Of(key), MerchantJson.Default.ApiKeyResource);
    }

    [Function("RevokeApiKey")]
    public async Task<IResult> RevokeKeyAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "delete", Route = "v1/merchants/{id}/api_keys/{key}")] HttpRequest request, string id, string key, FunctionContext context,
        CancellationToken ct)
    {
        if (context.RequirePlatform() is { } refusal)
            return Problems.Of(refusal);
        if (!PrefixedId.TryParse<MerchantId>(id, out var merchant) || !PrefixedId.TryParse<ApiKeyId>(key, out var keyId))
            return Problems.Of(Refusal.NotFound(key));
        return await keys.RevokeAsync(merchant, keyId, context.Actor(), ct) is { } revoked
            ? Api.Json(ApiKeyResource.Of(revoked), MerchantJson.Default.ApiKeyResource)
            : Problems.Of(Refusal.NotFound(key));
    }
}
