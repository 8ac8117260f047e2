using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Database;
using Payments.Domain.Messaging;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Functions.Http;

/// <summary>
/// A provider event as it is stored. Only a single event shows its <see cref="Payload"/>, with secrets and card data masked.
/// </summary>
public sealed record ProviderEventResource(
    string Id, string Object, string Provider, string EventId, string Type, string Status, int Attempts, string? Detail, JsonElement? Payload, DateTimeOffset ReceivedAt,
    DateTimeOffset? ProcessedAt)
{
    public static ProviderEventResource Of(ProviderEvent stored, string? payload = null) => new(
        stored.Id.ToString("N"), "provider_event", stored.Provider, stored.EventId, stored.Type, DbText.Of(stored.Status), stored.Attempts, stored.Detail,
        payload is null ? null : JsonElement.Parse(payload), stored.ReceivedAt, stored.ProcessedAt);
}

public sealed record DeadLetterResource(string Id, string Object, string Queue, string? Message, string? Type, string Raw, string Reason, DateTimeOffset DeadAt)
{
    public static DeadLetterResource Of(DeadLetter letter) => new(
        letter.Id.ToString("N"), "dead_letter", letter.Queue, letter.MessageId?.ToString("N"), letter.Type, letter.Raw, letter.Reason, letter.DeadAt);
}

public sealed record ReplayRequest(DateTimeOffset? From, DateTimeOffset? To, string? Status);

public sealed record ReplayedResource(string Object, long Replayed);

public sealed record DiscardedResource(string Id, string Object, bool Deleted);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(UtcTimeJson)])]
[JsonSerializable(typeof(ProviderEventResource))]
[JsonSerializable(typeof(DeadLetterResource))]
[JsonSerializable(typeof(ReplayRequest))]
[JsonSerializable(typeof(ReplayedResource))]
[JsonSerializable(typeof(DiscardedResource))]
internal sealed partial class OperatorJson : JsonSerializerContext;

/// <summary>Provider events and dead letters, and how to process them again. For the platform's operators.</summary>
public sealed class OperatorFunctions(ProviderEvents providerEvents, DeadLetters deadLetters)
{
    [Function("ListProviderEvents")]
    public async Task<IResult> ListAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/provider_events")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        if (!Api.Limit(request).TryGet(out var limit, out var refusal) || !Status(request.Query["status"]).TryGet(out var status, out refusal) || !After(request).TryGet(out var after, out refusal))
            return Problems.Of(refusal);
        var rows = await providerEvents.ListAsync(status.Value, request.Query["provider"], after.Value, limit + 1, ct);
        return Api.List(rows, limit, row => ProviderEventResource.Of(row), OperatorJson.Default.ProviderEventResource);
    }

    [Function("GetProviderEvent")]
    public async Task<IResult> GetAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/provider_events/{id}")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        return Guid.TryParseExact(id, "N", out var key) && await providerEvents.FindAsync(key, ct) is { } found
            ? Api.Json(ProviderEventResource.Of(found, found.Payload is { } payload ? PayloadMask.Apply(payload) : null), OperatorJson.Default.ProviderEventResource)
            : Problems.Of(Refusal.NotFound($"provider event '{id}'"));
    }

    [Function("ReplayProviderEvent")]
    public async Task<IResult> ReplayAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/provider_events/{id}/replay")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        return Guid.TryParseExact(id, "N", out var key) && await providerEvents.ReplayAsync(key, context.Actor(), ct)
            ? Replayed(1)
            : Problems.Of(Refusal.NotFound($"provider event '{id}' with its payload"));
    }

    [Function("ReplayProviderEvents")]
    public async Task<IResult> ReplayRangeAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/provider_event_replays")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        if (!(await RangeAsync(request, ct)).TryGet(out var range, out var refusal) || !Status(range.Status).TryGet(out var status, out refusal))
            return Problems.Of(refusal);
        return Replayed(await providerEvents.ReplayAsync(range.From!.Value, range.To!.Value, status.Value, context.Actor(), ct));
    }

    [Function("ListDeadLetters")]
    public async Task<IResult> DeadLettersAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/dead_letters")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        if (!Api.Limit(request).TryGet(out var limit, out var refusal) || !After(request).TryGet(out var after, out refusal))
            return Problems.Of(refusal);
        var rows = await deadLetters.ListAsync(request.Query["queue"], after.Value, limit + 1, ct);
        return Api.List(rows, limit, DeadLetterResource.Of, OperatorJson.Default.DeadLetterResource);
    }

    [Function("ReplayDeadLetter")]
    public async Task<IResult> ReplayDeadLetterAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/dead_letters/{id}/replay")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        return Guid.TryParseExact(id, "N", out var key) && await deadLetters.ReplayAsync(key, context.Actor(), ct)
            ? Replayed(1)
            : Problems.Of(Refusal.NotFound($"dead letter '{id}' that can be replayed"));
    }

    [Function("DiscardDeadLetter")]
    public async Task<IResult> DiscardDeadLetterAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "delete", Route = "v1/dead_letters/{id}")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        return Guid.TryParseExact(id, "N", out var key) && await deadLetters.DiscardAsync(key, context.Actor(), ct)
            ? Api.Json(new DiscardedResource(id, "dead_letter", true), OperatorJson.Default.DiscardedResource)
            : Problems.Of(Refusal.NotFound($"dead letter '{id}'"));
    }

    [Function("ReplayDeadLetters")]
    public async Task<IResult> ReplayDeadLettersAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/dead_letter_replays")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        return (await RangeAsync(request, ct)).TryGet(out var range, out var refusal)
            ? Replayed(await deadLetters.ReplayAsync(range.From!.Value, range.To!.Value, context.Actor(), ct))
            : Problems.Of(refusal);
    }

    private static IResult Replayed(long count) =>
        Api.Json(new ReplayedResource("replay", count), OperatorJson.Default.ReplayedResource, StatusCodes.Status202Accepted);

    private static async Task<Result<ReplayRequest>> RangeAsync(HttpRequest request, CancellationToken ct)
    {
        if (!(await Api.ReadAsync(request, OperatorJson.Default.ReplayRequest, ct)).TryGet(out var body, out var refusal))
            return refusal;
        return body.Value is { From: { } from, To: { } to } && from < to
            ? body.Value
            : Refusal.Invalid("from", "`from` and `to` are required, and `to` must be later than `from`.");
    }

    private static Result<(ProviderEventStatus? Value, bool)> Status(string? text)
    {
        if (string.IsNullOrEmpty(text))
            return ((ProviderEventStatus?)null, false);
        return DbText.TryParse<ProviderEventStatus>(text, out var status)
            ? ((ProviderEventStatus?)status, true)
            : Refusal.Invalid("status", "`status` must be one of received, waiting, applied, ignored and failed.");
    }

    private static Result<(Guid? Value, bool)> After(HttpRequest request)
    {
        if (!request.Query.TryGetValue("starting_after", out var text))
            return ((Guid?)null, false);
        return Guid.TryParseExact(text, "N", out var after) ? ((Guid?)after, true) : Refusal.Invalid("starting_after", "`starting_after` must be the id of the last object of the previous page.");
    }
}
