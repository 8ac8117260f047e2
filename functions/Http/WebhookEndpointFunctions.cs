using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Database;
using Payments.Domain.Idempotency;
using Payments.Domain.Webhooks.Outbound;

namespace Payments.Functions.Http;

/// <param name="Signature"><c>hmac</c> or <c>ed25519</c>.</param>
public sealed record WebhookEndpointRequest(string? Url, string? Description, IReadOnlyList<string>? EventTypes, string? Status, string? Signature);

public sealed record ResendRequest(DateTimeOffset? From, DateTimeOffset? To, bool? IncludeDelivered);

/// <summary>An endpoint as the API shows it. Only the answer that created the endpoint has <see cref="Secret"/>.</summary>
public sealed record WebhookEndpointResource(
    string Id, string Object, string Url, string? Description, IReadOnlyList<string> EventTypes, string ApiVersion, string Status, string? DisabledReason, string Signature, string? Secret,
    string? PublicKey, DateTimeOffset? PreviousSecretExpiresAt, DateTimeOffset CreatedAt, DateTimeOffset UpdatedAt)
{
    public static WebhookEndpointResource Of(WebhookEndpoint endpoint, string? secret = null) => new(
        endpoint.Id.ToString(), "webhook_endpoint", endpoint.Url, endpoint.Description, endpoint.EventTypes, endpoint.ApiVersion, DbText.Of(endpoint.Status),
        endpoint.DisabledReason is { } reason ? DbText.Of(reason) : null, DbText.Of(endpoint.Signature), secret, endpoint.PublicKey, endpoint.PreviousSecretExpiresAt, endpoint.CreatedAt, endpoint.UpdatedAt);
}

public sealed record DeletedResource(string Id, string Object, bool Deleted);

public sealed record DeliveryResource(
    string Id, string Object, string Endpoint, string Event, string EventType, string Status, int Attempts, DateTimeOffset? NextAttemptAt, DateTimeOffset CreatedAt, DateTimeOffset? FinishedAt)
{
    public static DeliveryResource Of(WebhookDelivery delivery) => new(
        delivery.Id.ToString(), "webhook_delivery", delivery.Endpoint.ToString(), delivery.Event.ToString(), delivery.EventType, DbText.Of(delivery.Status), delivery.Attempts,
        delivery.NextAttemptAt, delivery.CreatedAt, delivery.FinishedAt);
}

public sealed record DeliveryAttemptResource(string Object, string Outcome, int? StatusCode, int LatencyMs, string? Response, DateTimeOffset CreatedAt)
{
    public static DeliveryAttemptResource Of(DeliveryAttempt attempt) =>
        new("webhook_delivery_attempt", DbText.Of(attempt.Outcome), attempt.StatusCode, attempt.LatencyMilliseconds, attempt.Response, attempt.CreatedAt);
}

/// <summary>The number of deliveries that will be sent again.</summary>
public sealed record ResentResource(string Object, long Resent);

public sealed record TestEventResource(string Object, string Event);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(UtcTimeJson)])]
[JsonSerializable(typeof(WebhookEndpointRequest))]
[JsonSerializable(typeof(ResendRequest))]
[JsonSerializable(typeof(WebhookEndpointResource))]
[JsonSerializable(typeof(DeletedResource))]
[JsonSerializable(typeof(DeliveryResource))]
[JsonSerializable(typeof(DeliveryAttemptResource))]
[JsonSerializable(typeof(ResentResource))]
[JsonSerializable(typeof(TestEventResource))]
internal sealed partial class WebhookJson : JsonSerializerContext;

/// <summary>A merchant's webhook endpoints, their deliveries, and how to send deliveries again.</summary>
public sealed class WebhookEndpointFunctions(WebhookEndpoints endpoints, WebhookDeliveries deliveries, IdempotencyStore idempotency)
{
    [Function("CreateWebhookEndpoint")]
    public Task<IResult> CreateAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/webhook_endpoints")] HttpRequest request, FunctionContext context, CancellationToken ct) =>
        Api.PostAsync(request, context, WebhookJson.Default.WebhookEndpointRequest, (idempotent, input) => idempotency.RunAsync(idempotent, async (connection, transaction) =>
        {
            if (!Signature(input.Signature).TryGet(out var signature, out var refusal))
                return refusal;
            var made = await endpoints.CreateAsync(
                connection, transaction, idempotent.Merchant, input.Url ?? "", input.Description, input.EventTypes,
                    signature.Value ?? EndpointSignature.Hmac, IsLiveKey(context), context.Actor(), ct);
            return Answer(made, StatusCodes.Status201Created);
        }, ct), ct);

    [Function("ListWebhookEndpoints")]
    public async Task<IResult> ListAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/webhook_endpoints")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal) || !Api.Page<WebhookEndpointId>(request).TryGet(out var page, out refusal))
            return Problems.Of(refusal);
        var rows = await endpoints.ListAsync(merchant, page.StartingAfter, page.Limit + 1, ct);
        return Api.List(rows, page.Limit, row => WebhookEndpointResource.Of(row), WebhookJson.Default.WebhookEndpointResource);
    }

    [Function("GetWebhookEndpoint")]
    public async Task<IResult> GetAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/webhook_endpoints/{id}")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!Endpoint(request, id, context).TryGet(out var key, out var refusal))
            return Problems.Of(refusal);
        return await endpoints.FindAsync(key.Merchant, key.Id, ct) is { } found
            ? Api.Json(WebhookEndpointResource.Of(found), WebhookJson.Default.WebhookEndpointResource)
            : Problems.Of(Refusal.NotFound(id));
    }

    [Function("UpdateWebhookEndpoint")]
    public async Task<IResult> UpdateAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "patch", Route = "v1/webhook_endpoints/{id}")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!Endpoint(request, id, context).TryGet(out var key, out var refusal) || !(await Api.ReadAsync(request, WebhookJson.Default.WebhookEndpointRequest, ct)).TryGet(out var body, out refusal))
            return Problems.Of(refusal);
        if (body.Value.Signature is not null)
            return Problems.Of(Refusal.Invalid("signature", "`signature` cannot be changed here. Use rotate_secret, which leaves a day to change over."));
        EndpointStatus? status = null;
        if (body.Value.Status is { } text)
        {
            if (!DbText.TryParse<EndpointStatus>(text, out var wanted))
                return Problems.Of(Refusal.Invalid("status", "`status` must be enabled or disabled."));
            status = wanted;
        }

        var changed = await endpoints.UpdateAsync(key.Merchant, key.Id, body.Value.Url, body.Value.Description, body.Value.EventTypes,
            status, IsLiveKey(context), context.Actor(), ct);
        return Api.Stored(Answer(changed, StatusCodes.Status200OK));
    }

    [Function("DeleteWebhookEndpoint")]
    public async Task<IResult> DeleteAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "delete", Route = "v1/webhook_endpoints/{id}")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!Endpoint(request, id, context).TryGet(out var key, out var refusal))
            return Problems.Of(refusal);
        return await endpoints.DeleteAsync(key.Merchant, key.Id, context.Actor(), ct)
            ? Api.Json(new DeletedResource(id, "webhook_endpoint", Deleted: true), WebhookJson.Default.DeletedResource)
            : Problems.Of(Refusal.NotFound(id));
    }

    [Function("RotateWebhookSecret")]
    public async Task<IResult> RotateAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/webhook_endpoints/{id}/rotate_secret")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!Endpoint(request, id, context).TryGet(out var key, out var refusal))
            return Problems.Of(refusal);
        return await Api.PostAsync(request, key.Merchant, WebhookJson.Default.WebhookEndpointRequest, (idempotent, input) => idempotency.RunAsync(idempotent, async (connection, transaction) =>
            Signature(input.Signature).TryGet(out var signature, out var invalid)
                ? Answer(await endpoints.RotateSecretAsync(connection, transaction, key.Merchant, key.Id, signature.Value, context.Actor(), ct), StatusCodes.Status200OK)
                : invalid, ct), ct);
    }

    [Function("SendTestWebhook")]
    public async Task<IResult> TestAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/webhook_endpoints/{id}/test")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!Endpoint(request, id, context).TryGet(out var key, out var refusal))
            return Problems.Of(refusal);
        return await deliveries.SendTestAsync(key.Merchant, key.Id, ct) is { } sent
            ? Api.Json(new TestEventResource("webhook_test", sent.ToString()), WebhookJson.Default.TestEventResource, StatusCodes.Status202Accepted)
            : Problems.Of(Refusal.NotFound($"enabled endpoint {id}"));
    }

    [Function("ListWebhookDeliveries")]
    public async Task<IResult> DeliveriesAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/webhook_endpoints/{id}/deliveries")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!Endpoint(request, id, context).TryGet(out var key, out var refusal) || !Api.Page<DeliveryId>(request).TryGet(out var page, out refusal))
            return Problems.Of(refusal);
        DeliveryStatus? status = null;
        if (request.Query.TryGetValue("status", out var text))
        {
            if (!DbText.TryParse<DeliveryStatus>(text, out var wanted))
                return Problems.Of(Refusal.Invalid("status", "`status` must be one of pending, delivered, failed and canceled."));
            status = wanted;
        }

        var rows = await deliveries.ListAsync(key.Merchant, key.Id, page.StartingAfter, status, page.Limit + 1, ct);
        return Api.List(rows, page.Limit, DeliveryResource.Of, WebhookJson.Default.DeliveryResource);
    }

    [Function("ListWebhookDeliveryAttempts")]
    public async Task<IResult> AttemptsAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/webhook_deliveries/{id}/attempts")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        if (!PrefixedId.TryParse<DeliveryId>(id, out var delivery))
            return Problems.Of(Refusal.NotFound(id));
        return Api.List(await deliveries.ListAttemptsAsync(merchant, delivery, ct), hasMore: false, DeliveryAttemptResource.Of, WebhookJson.Default.DeliveryAttemptResource);
    }

    [Function("ResendWebhookDelivery")]
    public async Task<IResult> ResendAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/webhook_deliveries/{id}/resend")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        return PrefixedId.TryParse<DeliveryId>(id, out var delivery) && await deliveries.ResendAsync(merchant, delivery, context.Actor(), ct)
            ? Api.Json(new ResentResource("webhook_resend", 1), WebhookJson.Default.ResentResource, StatusCodes.Status202Accepted)
            : Problems.Of(Refusal.NotFound($"delivery {id} of an enabled endpoint"));
    }

    [Function("ResendWebhookDeliveries")]
    public async Task<IResult> ResendRangeAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/webhook_endpoints/{id}/resend")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!Endpoint(request, id, context).TryGet(out var key, out var refusal) || !(await Api.ReadAsync(request, WebhookJson.Default.ResendRequest, ct)).TryGet(out var body, out refusal))
            return Problems.Of(refusal);
        if (body.Value is not { From: { } from, To: { } to } || from >= to)
            return Problems.Of(Refusal.Invalid("from", "`from` and `to` are required, and `to` must be later than `from`."));
        if (await endpoints.FindAsync(key.Merchant, key.Id, ct) is null)
            return Problems.Of(Refusal.NotFound(id));
        var resent = await deliveries.ResendAsync(key.Merchant, key.Id, from, to, body.Value.IncludeDelivered ?? false, context.Actor(), ct);
        return Api.Json(new ResentResource("webhook_resend", resent), WebhookJson.Default.ResentResource, StatusCodes.Status202Accepted);
    }

    // For a platform key only the setting decides, so that endpoints on a laptop can belong to live accounts.
    private static bool IsLiveKey(FunctionContext context) => context.Caller().Merchant is { Mode: Mode.Live };

    private static Result<(EndpointSignature? Value, bool)> Signature(string? text)
    {
        if (text is null)
            return ((EndpointSignature?)null, false);
        return DbText.TryParse<EndpointSignature>(text, out var signature)
            ? ((EndpointSignature?)signature, true)
            : Refusal.Invalid("signature", "`signature` must be hmac or ed25519.");
    }

    private static Result<(MerchantId Merchant, WebhookEndpointId Id)> Endpoint(HttpRequest request, string id, FunctionContext context)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal))
            return refusal;
        return PrefixedId.TryParse<WebhookEndpointId>(id, out var endpoint) ? (merchant, endpoint) : Refusal.NotFound(id);
    }

    private static Result<StoredResponse> Answer(EndpointResult result, int status) => result.Refusal is { } refusal
        ? Explain(refusal)
        : new StoredResponse(status, JsonSerializer.SerializeToUtf8Bytes(WebhookEndpointResource.Of(result.Endpoint!, result.Secret), WebhookJson.Default.WebhookEndpointResource))
        {
            HoldsSecret = result.Secret is not null,
        };

    private static Refusal Explain(EndpointRefusal refusal) => refusal switch
    {
        EndpointRefusal.NotFound => Refusal.NotFound("such endpoint"),
        EndpointRefusal.UrlInvalid => Refusal.Invalid("url", "`url` must be an absolute https URL of at most 2048 characters, without user name and fragment."),
        EndpointRefusal.UrlNotSecure => Refusal.Invalid("url", "`url` must be an https URL."),
        EndpointRefusal.UrlNotPublic => Refusal.Invalid("url", "`url` must be a public address, not one of a private network or of this machine."),
        EndpointRefusal.EventTypesInvalid => Refusal.Invalid(
            "event_types",
            "`event_types` must hold 1 to 50 known types, such as charge.captured, charge.* or *. The API lists all types."),
        EndpointRefusal.DescriptionInvalid => Refusal.Invalid("description", "`description` must have at most 500 characters."),
        EndpointRefusal.TooMany => new Refusal(RefusalCode.StateConflict, $"The merchant already has {EndpointRules.MaxEndpoints} endpoints, the maximum. Delete one first."),
    };
}
