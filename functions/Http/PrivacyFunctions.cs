using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Privacy;

namespace Payments.Functions.Http;

public sealed record RedactionRequest(string? Charge, string? Customer);

/// <param name="NotFinal">The charges that are still in progress. Redact them later.</param>
public sealed record RedactionResource(string Object, int Redacted, IReadOnlyList<string> NotFinal, bool HasMore);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(RedactionRequest))]
[JsonSerializable(typeof(RedactionResource))]
internal sealed partial class PrivacyJson : JsonSerializerContext;

/// <summary>Removes personal data of a customer.</summary>
public sealed class PrivacyFunctions(Redact redact)
{
    /// <summary>It needs no Idempotency-Key, because a repeat changes nothing.</summary>
    [Function("CreateRedaction")]
    public async Task<IResult> CreateAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/redactions")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal) || !(await Api.ReadAsync(request, PrivacyJson.Default.RedactionRequest, ct)).TryGet(out var body, out refusal))
            return Problems.Of(refusal);
        var (chargeText, customer) = body.Value;
        if (chargeText is null == (customer is null))
            return Problems.Of(Refusal.Invalid("charge", "Give exactly one of `charge` and `customer`."));
        ChargeId? charge = null;
        if (chargeText is not null)
        {
            if (!PrefixedId.TryParse<ChargeId>(chargeText, out var id))
                return Problems.Of(Refusal.NotFound(chargeText));
            charge = id;
        }

        return (await redact.RunAsync(merchant, charge, customer, context.Actor(), ct)).Match(
            result => Api.Json(
                new RedactionResource("redaction", result.Redacted, [.. result.NotFinal.Select(id => id.ToString())], result.HasMore), PrivacyJson.Default.RedactionResource),
            Problems.Of);
    }
}
