using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Audit;

namespace Payments.Functions.Http;

/// <summary>An entry of the audit log as the API shows it.</summary>
/// <param name="Actor"><c>platform/NAME</c> or a merchant's key. A merchant sees operators as <c>platform</c>.</param>
public sealed record AuditEntryResource(
    string Id, string Object, string Actor, string Action, string ObjectType, string ObjectId, string? Merchant, JsonElement Detail, string? RequestId, string? TraceId, DateTimeOffset CreatedAt)
{
    public static AuditEntryResource Of(StoredAuditEntry stored, bool forPlatform)
    {
        var (actor, action, objectType, objectId, merchant, detail) = stored.Entry;
        var shown = forPlatform || !actor.Name.StartsWith(Payments.Domain.Audit.Actor.PlatformPrefix, StringComparison.Ordinal) ? actor.Name : "platform";
        return new(
            stored.Id.ToString(), "audit_entry", shown, action, objectType, objectId, merchant?.ToString(), JsonElement.Parse(detail ?? "{}"), actor.RequestId,
            forPlatform ? stored.TraceId : null, stored.CreatedAt);
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(UtcTimeJson)])]
[JsonSerializable(typeof(AuditEntryResource))]
internal sealed partial class AuditJson : JsonSerializerContext;

/// <summary>The audit log. A merchant sees the entries that concern it, and the platform sees all.</summary>
public sealed class AuditFunctions(AuditLog log)
{
    [Function("ListAuditLog")]
    public async Task<IResult> ListAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/audit_log")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (!Api.Page<AuditEntryId>(request).TryGet(out var page, out var refusal) || !Api.Time(request, "from").TryGet(out var from, out refusal)
            || !Api.Time(request, "to").TryGet(out var to, out refusal) || !Merchant(request, context).TryGet(out var merchant, out refusal))
        {
            return Problems.Of(refusal);
        }

        var platform = context.Caller().IsPlatform;
        var filter = new AuditFilter(merchant.Of, platform ? Text(request, "actor") : null, Text(request, "action"), Text(request, "object_id"), from.At, to.At);
        var rows = await log.ListAsync(filter, page.StartingAfter, page.Limit + 1, ct);
        return Api.List(rows, page.Limit, row => AuditEntryResource.Of(row, platform), AuditJson.Default.AuditEntryResource);
    }

    private static string? Text(HttpRequest request, string param) => request.Query[param].ToString() is { Length: > 0 } text ? text : null;

    // A merchant's key sees only the entries of its own merchant, whatever merchant it asks for.
    private static Result<(MerchantId? Of, bool)> Merchant(HttpRequest request, FunctionContext context)
    {
        if (context.Caller().Merchant is { } own)
            return ((MerchantId?)own, true);
        if (Text(request, "merchant") is not { } text)
            return ((MerchantId?)null, false);
        return PrefixedId.TryParse<MerchantId>(text, out var merchant) ? ((MerchantId?)merchant, true) : Refusal.Invalid("merchant", "`merchant` must be the id of a merchant, such as mer_....");
    }
}
