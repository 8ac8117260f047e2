using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Charges;

namespace Payments.Functions.Http;

/// <summary>Shows the attempts of a charge.</summary>
public sealed class ChargeAttemptFunctions(ChargeAttempts attempts)
{
    [Function("ListChargeAttempts")]
    public async Task<IResult> ListAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/charges/{id}/attempts")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        return PrefixedId.TryParse<ChargeId>(id, out var charge) && await attempts.ListAsync(merchant, charge, ct) is { Count: > 0 } found
            ? Api.List(found, hasMore: false, AttemptResource.Of, AttemptJson.Default.AttemptResource)
            : Problems.Of(Refusal.NotFound(id));
    }
}
