using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Disputes.Warnings;

namespace Payments.Functions.Http;

/// <summary>A merchant's rules for automatic actions on its disputes.</summary>
public sealed class DisputeSettingsFunctions(DisputeSettings settings)
{
    [Function("ListDisputeSettings")]
    public async Task<IResult> ListAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/dispute_settings")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        return Api.List(await settings.ListAsync(merchant, ct), int.MaxValue, s => s, DisputeSettingsJson.Default.DisputeSettingsResource);
    }

    /// <summary>It needs no Idempotency-Key, because a repeat changes nothing.</summary>
    [Function("ChangeDisputeSettings")]
    public async Task<IResult> ChangeAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "put", Route = "v1/dispute_settings/{currency}")] HttpRequest request, string currency, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        if (!Currency.TryParse(currency, out var of))
            return Problems.Of(Refusal.NotFound(currency));
        if (!(await Api.ReadAsync(request, DisputeSettingsJson.Default.DisputeSettingsRequest, ct)).TryGet(out var body, out refusal))
            return Problems.Of(refusal);
        return (await settings.ChangeAsync(merchant, of, body.Value, context.Actor(), ct)).Match(s => Api.Json(s, DisputeSettingsJson.Default.DisputeSettingsResource), Problems.Of);
    }
}
