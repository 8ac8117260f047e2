using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Database;
using Payments.Domain.Idempotency;

namespace Payments.Functions.Http;

/// <summary>A request body that was read completely: its bytes, for fingerprints and signatures, and its parsed value.</summary>
internal readonly record struct Body<T>(byte[] Bytes, T Value);

/// <summary>Reads requests and writes responses, in the same way for every function.</summary>
internal static class Api
{
    /// <summary>The largest JSON body that an operation takes.</summary>
    public const int MaximumBody = 256 * 1024;

    public const int DefaultLimit = 20;
    public const int MaximumLimit = 100;

    public static readonly MerchantId NoMerchant = MerchantId.Platform;

    /// <summary>Reads the whole body. A body above the limit is refused, whatever its length header says.</summary>
    public static async Task<Result<byte[]>> ReadBytesAsync(HttpRequest request, int limit, CancellationToken ct)
    {
        var tooLarge = new Refusal(RefusalCode.BodyTooLarge, $"The body must have at most {limit} bytes.");
        if (request.ContentLength > limit)
            return tooLarge;
        var buffer = new byte[Math.Min(limit + 1L, request.ContentLength ?? 16 * 1024) + 1];
        var length = 0;
        while (true)
        {
            var read = await request.Body.ReadAsync(buffer.AsMemory(length), ct);
            if (read == 0)
                return buffer.AsSpan(0, length).ToArray();
            length += read;
            if (length > limit)
                return tooLarge;
            if (length == buffer.Length)
                Array.Resize(ref buffer, Math.Min(buffer.Length * 2, limit + 1));
        }
    }

    /// <summary>Reads a JSON document. An empty body counts as <c>{}</c>, so that the refusal names the missing field.</summary>
    public static async Task<Result<Body<T>>> ReadAsync<T>(HttpRequest request, JsonTypeInfo<T> type, CancellationToken ct)
    {
        if (!(await ReadBytesAsync(request, MaximumBody, ct)).TryGet(out var bytes, out var refusal))
            return refusal;
        try
        {
            if (JsonMembers.FindDuplicate(bytes) is { } twice)
                return new Refusal(
                    RefusalCode.BodyMalformed, $"The member '{twice}' appears twice in one object. Send each member once.", twice);
            var value = JsonSerializer.Deserialize(bytes.Length == 0 ? "{}"u8 : bytes, type);
            return value is null
                ? new Refusal(RefusalCode.BodyMalformed, "The body is null. Send a JSON object.")
                : new Body<T>(bytes, value);
        }
        catch (JsonException e)
        {
            var at = string.IsNullOrEmpty(e.Path) || e.Path == "$" ? null : e.Path.StartsWith("$.", StringComparison.Ordinal) ? e.Path[2..] : e.Path;
            return new Refusal(
                RefusalCode.BodyMalformed,
                at is null ? "The body must be a JSON object in UTF-8." : $"The value of '{at}' has the wrong type.",
                at);
        }
    }

    /// <summary>The idempotent form of a request: its key, and a digest of what it asks for.</summary>
    public static Result<IdempotentRequest> Idempotent(HttpRequest request, MerchantId merchant, byte[] body)
    {
        string? header = request.Headers["Idempotency-Key"];
        return IdempotencyKey.Read(header).TryGet(out var key, out var refusal)
            ? new IdempotentRequest(merchant, key, RequestFingerprint.Of(request.Method, request.Path, body))
            : refusal;
    }

    /// <summary>Reads <c>limit</c> and <c>starting_after</c>.</summary>
    public static Result<(int Limit, TId? StartingAfter)> Page<TId>(HttpRequest request)
        where TId : struct, IPrefixedId<TId>
    {
        if (!Limit(request).TryGet(out var limit, out var refusal))
            return refusal;
        if (!request.Query.TryGetValue("starting_after", out var after))
            return (limit, (TId?)null);
        return PrefixedId.TryParse<TId>(after, out var id)
            ? (limit, (TId?)id)
            : Refusal.Invalid(
                "starting_after", $"`starting_after` must be the id of the last object of the previous page, such as {TId.Prefix}....");
    }

    /// <summary>Reads <c>limit</c>, the largest number of objects on a page.</summary>
    public static Result<int> Limit(HttpRequest request)
    {
        if (!request.Query.TryGetValue("limit", out var text))
            return DefaultLimit;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit is >= 1 and <= MaximumLimit
            ? limit
            : Refusal.Invalid("limit", $"`limit` must be a whole number from 1 to {MaximumLimit}.");
    }

    /// <summary>Reads <c>mode</c>. Live by default.</summary>
    public static Result<Mode> Mode(HttpRequest request) => Mode(request.Query["mode"]);

    /// <inheritdoc cref="Mode(HttpRequest)"/>
    public static Result<Mode> Mode(string? text) =>
        text is null ? Domain.Mode.Live
        : DbText.TryParse<Mode>(text, out var mode) ? mode
        : Refusal.Invalid("mode", "`mode` must be live or test.");

    /// <summary>Reads a point in time from the query. Null if it is not given.</summary>
    public static Result<(DateTimeOffset? At, bool)> Time(HttpRequest request, string param)
    {
        if (!request.Query.TryGetValue(param, out var text))
            return ((DateTimeOffset?)null, false);
        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var at)
            ? ((DateTimeOffset?)at, true)
            : Refusal.Invalid(param, "The time must be in the format of RFC 3339, such as 2026-03-01T12:00:00Z.");
    }

    public static IResult Json<T>(T value, JsonTypeInfo<T> type, int status = StatusCodes.Status200OK) => new JsonResult(status, JsonSerializer.SerializeToUtf8Bytes(value, type));

    /// <summary>Writes a page. <paramref name="rows"/> holds one more than <paramref name="limit"/> if there are more.</summary>
    public static IResult List<TRow, T>(IReadOnlyList<TRow> rows, int limit, Func<TRow, T> resource, JsonTypeInfo<T> type) =>
        List([.. rows.Take(limit)], rows.Count > limit, resource, type);

    public static IResult List<TRow, T>(IReadOnlyList<TRow> rows, bool hasMore, Func<TRow, T> resource, JsonTypeInfo<T> type)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>(4096);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("object"u8, "list"u8);
            writer.WriteStartArray("data"u8);
            foreach (var row in rows)
                JsonSerializer.Serialize(writer, resource(row), type);
            writer.WriteEndArray();
            writer.WriteBoolean("has_more"u8, hasMore);
            writer.WriteEndObject();
        }

        return new JsonResult(StatusCodes.Status200OK, buffer.WrittenSpan.ToArray());
    }

    /// <summary>Writes a page of objects that are already JSON.</summary>
    public static IResult List(IReadOnlyList<ReadOnlyMemory<byte>> rows, bool hasMore)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>(4096);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("object"u8, "list"u8);
            writer.WriteStartArray("data"u8);
            foreach (var row in rows)
                writer.WriteRawValue(row.Span, skipInputValidation: true);
            writer.WriteEndArray();
            writer.WriteBoolean("has_more"u8, hasMore);
            writer.WriteEndObject();
        }

        return new JsonResult(StatusCodes.Status200OK, buffer.WrittenSpan.ToArray());
    }

    /// <summary>Writes an object that is already JSON.</summary>
    public static IResult Raw(ReadOnlyMemory<byte> json) => new JsonResult(StatusCodes.Status200OK, json.ToArray());

    public static IResult Stored(Result<StoredResponse> result) => result.Match<IResult>(
        response => new JsonResult(response.Status, response.Body, response.Replayed),
        Problems.Of);

    /// <summary>
    /// Handles a POST with an idempotency key: reads the merchant, the key and the body, runs the operation and writes its answer.
    /// </summary>
    public static async Task<IResult> PostAsync<T>(
        HttpRequest request, FunctionContext context, JsonTypeInfo<T> type, Func<IdempotentRequest, T, Task<Result<StoredResponse>>> operation, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        return await PostAsync(request, merchant, type, operation, ct);
    }

    public static async Task<IResult> PostAsync<T>(
        HttpRequest request, MerchantId merchant, JsonTypeInfo<T> type, Func<IdempotentRequest, T, Task<Result<StoredResponse>>> operation, CancellationToken ct)
    {
        if (!(await ReadAsync(request, type, ct)).TryGet(out var body, out var refusal))
            return Problems.Of(refusal);
        if (!Idempotent(request, merchant, body.Bytes).TryGet(out var idempotent, out refusal))
            return Problems.Of(refusal);
        return Stored(await operation(idempotent, body.Value));
    }

    private sealed record JsonResult(int Status, byte[] Body, bool Replayed = false) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            var response = httpContext.Response;
            response.StatusCode = Status;
            response.ContentType = "application/json";
            response.ContentLength = Body.Length;
            if (Replayed)
                response.Headers["Idempotent-Replayed"] = "true";
            return response.Body.WriteAsync(Body, httpContext.RequestAborted).AsTask();
        }
    }
}
