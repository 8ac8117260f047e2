using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Messaging;

namespace Payments.Functions.Http;

/// <summary>
/// Shows a merchant's events, as its webhooks delivered them. A platform key that names no merchant reads the events of the platform.
/// </summary>
public sealed class EventFunctions(Events events)
{
    [Function("ListEvents")]
    public async Task<IResult> ListAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/events")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (!Owner(context, request).TryGet(out var merchant, out var refusal) || !Api.Page<EventId>(request).TryGet(out var page, out refusal)
            || !ListFilters.Created(request).TryGet(out var created, out refusal))
        {
            return Problems.Of(refusal);
        }

        string? type = request.Query["type"];
        Guid? objectId = null;
        if (request.Query.TryGetValue("object", out var text))
        {
            // Accepts any typed id: a short prefix, an underscore, 32 hexadecimal digits.
            if (text.ToString() is not { Length: > 33 } id || !Guid.TryParseExact(id.AsSpan(id.Length - 32), "N", out var value))
                return Problems.Of(Refusal.Invalid("object", "`object` must be the id of an object, such as ch_...."));
            objectId = value;
        }

        var rows = await events.ListAsync(merchant, page.StartingAfter, type, objectId, created, page.Limit + 1, ct);
        return Api.List([.. rows.Take(page.Limit).Select(row => row.ToJson())], rows.Count > page.Limit);
    }

    [Function("GetEvent")]
    public async Task<IResult> GetAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/events/{id}")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!Owner(context, request).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        return PrefixedId.TryParse<EventId>(id, out var eventId) && await events.FindAsync(merchant, eventId, ct) is { } found
            ? Api.Raw(found.ToJson())
            : Problems.Of(Refusal.NotFound(id));
    }

    private static Result<MerchantId> Owner(FunctionContext context, HttpRequest request) =>
        context.RequirePlatform() is null && !request.Headers.ContainsKey(RequestContext.OnBehalfOf) ? MerchantId.Platform : context.Merchant(request);
}
