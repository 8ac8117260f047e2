using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Payments.Domain;
using Payments.Domain.Database;

namespace Payments.Functions.Http;

/// <summary>A refusal as RFC 9457 problem details.</summary>
/// <param name="Code">The value for programs. <paramref name="Detail"/> is for people and may change.</param>
/// <param name="RequestId">The id to quote in a question about the request.</param>
public sealed record Problem(string Type, string Title, int Status, string Detail, string Code, string? Param, string RequestId);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Problem))]
internal sealed partial class ProblemJson : JsonSerializerContext;

/// <summary>Maps refusals and failures to HTTP. Only this class turns a reason into a status.</summary>
internal static class Problems
{
    public static IResult Of(Refusal refusal)
    {
        var (status, title) = Describe(refusal.Code);
        return new ProblemResult(status, title, refusal.Detail, DbText.Of(refusal.Code), refusal.Param, refusal.RetryAfter);
    }

    /// <summary>A bug or an outage. The caller learns only that it happened, and the id under which the platform finds it.</summary>
    public static IResult InternalError() => new ProblemResult(
        StatusCodes.Status500InternalServerError, "Internal error", "The request could not be processed. Repeating it with the same Idempotency-Key is safe.", "internal_error");

    public static IResult DependencyDown(TimeSpan retryAfter) => new ProblemResult(
        StatusCodes.Status503ServiceUnavailable, "Temporarily unavailable", "The database cannot be reached. Repeating the request with the same Idempotency-Key is safe.",
        "temporarily_unavailable", RetryAfter: retryAfter);

    private static (int Status, string Title) Describe(RefusalCode code) => code switch
    {
        RefusalCode.ParameterInvalid => (400, "Invalid parameter"),
        RefusalCode.BodyMalformed => (400, "Malformed body"),
        RefusalCode.BodyTooLarge => (413, "Body too large"),
        RefusalCode.IdempotencyKeyMissing => (400, "Idempotency key missing"),
        RefusalCode.IdempotencyKeyInvalid => (400, "Invalid idempotency key"),
        RefusalCode.IdempotencyKeyReused => (422, "Idempotency key reused"),
        RefusalCode.RequestInProgress => (409, "Request in progress"),
        RefusalCode.Unauthenticated => (401, "Not authenticated"),
        RefusalCode.Forbidden => (403, "Forbidden"),
        RefusalCode.NotFound => (404, "Not found"),
        RefusalCode.StateConflict => (409, "State conflict"),
        RefusalCode.AmountTooLarge => (422, "Amount too large"),
        RefusalCode.AmountTooSmall => (422, "Amount too small"),
        RefusalCode.CurrencyNotSupported => (422, "Currency not supported"),
        RefusalCode.MerchantInactive => (403, "Merchant inactive"),
        RefusalCode.InsufficientFunds => (422, "Insufficient funds"),
        RefusalCode.SignatureMissing => (401, "Not signed"),
        RefusalCode.SignatureInvalid => (401, "Invalid signature"),
        RefusalCode.SignatureTooOld => (401, "Signed too long ago"),
        RefusalCode.SignatureTooNew => (401, "Signed in the future"),
        RefusalCode.RateLimited => (429, "Too many requests"),
        RefusalCode.Overloaded => (503, "Overloaded"),
    };

    private sealed record ProblemResult(int Status, string Title, string Detail, string Code, string? Param = null, TimeSpan? RetryAfter = null) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            var response = httpContext.Response;
            response.StatusCode = Status;
            response.ContentType = "application/problem+json";
            if (RetryAfter is { } wait)
                response.Headers.RetryAfter = Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
            if (Status == StatusCodes.Status401Unauthorized)
                response.Headers.WWWAuthenticate = "Bearer";
            var problem = new Problem($"urn:payments:problem:{Code}", Title, Status, Detail, Code, Param, httpContext.RequestId());
            return response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(problem, ProblemJson.Default.Problem), httpContext.RequestAborted).AsTask();
        }
    }
}
