using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Providers.Credentials;
using Payments.Domain.Providers.Routing;

namespace Payments.Functions.Http;

/// <summary>A merchant's provider credentials and routing rules. Only for platform keys.</summary>
public sealed class ProviderFunctions(ProviderCredentials credentials, RoutingRules routing)
{
    [Function("SetProviderCredentials")]
    public async Task<IResult> SetAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "put", Route = "v1/merchants/{id}/providers/{provider}")] HttpRequest request, string id, string provider, FunctionContext context,
        CancellationToken ct)
    {
        if (!Merchant(context, id).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        if (!(await Api.ReadAsync(request, CredentialJson.Default.ProviderCredentialsRequest, ct)).TryGet(out var body, out refusal))
            return Problems.Of(refusal);
        return Credentials(await credentials.PutAsync(merchant, provider, body.Value, context.Actor(), ct));
    }

    [Function("GetProviderCredentials")]
    public async Task<IResult> GetAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/merchants/{id}/providers/{provider}")] HttpRequest request, string id, string provider, FunctionContext context,
        CancellationToken ct) =>
        Merchant(context, id).TryGet(out var merchant, out var refusal) ? Credentials(await credentials.GetAsync(merchant, provider, ct)) : Problems.Of(refusal);

    [Function("DeleteProviderCredentials")]
    public async Task<IResult> DeleteAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "delete", Route = "v1/merchants/{id}/providers/{provider}")] HttpRequest request, string id, string provider, FunctionContext context,
        CancellationToken ct)
    {
        if (!Merchant(context, id).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        return await credentials.DeleteAsync(merchant, provider, context.Actor(), ct)
            ? Api.Json(new DeletedResource(provider, "provider_credentials", Deleted: true), WebhookJson.Default.DeletedResource)
            : Problems.Of(new Refusal(RefusalCode.NotFound, $"{merchant} has no own credentials for {provider}."));
    }

    [Function("SetRouting")]
    public async Task<IResult> SetRoutingAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "put", Route = "v1/merchants/{id}/routing")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!Merchant(context, id).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        if (!(await Api.ReadAsync(request, RoutingJson.Default.RoutingRequest, ct)).TryGet(out var body, out refusal))
            return Problems.Of(refusal);
        return Routing(await routing.PutAsync(merchant, body.Value, context.Actor(), ct));
    }

    [Function("GetRouting")]
    public async Task<IResult> GetRoutingAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/merchants/{id}/routing")] HttpRequest request, string id, FunctionContext context, CancellationToken ct) =>
        Merchant(context, id).TryGet(out var merchant, out var refusal) ? Routing(await routing.GetAsync(merchant, ct)) : Problems.Of(refusal);

    private static Result<MerchantId> Merchant(FunctionContext context, string id) =>
        context.RequirePlatform() is { } refusal ? refusal
        : PrefixedId.TryParse<MerchantId>(id, out var merchant) ? merchant
        : Refusal.NotFound(id);

    private static IResult Credentials(Result<ProviderCredentialsResource> result) =>
        result.Match(found => Api.Json(found, CredentialJson.Default.ProviderCredentialsResource), Problems.Of);

    private static IResult Routing(Result<RoutingResource> result) => result.Match(found => Api.Json(found, RoutingJson.Default.RoutingResource), Problems.Of);
}
