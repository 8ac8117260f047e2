using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Audit;
using Payments.Domain.Merchants;

namespace Payments.Functions.Http;

/// <summary>What the middleware stores about a request.</summary>
internal static class RequestContext
{
    private const string CallerKey = "payments.caller";
    private const string RequestIdKey = "payments.request-id";

    /// <summary>The header that names the merchant for which a platform key acts.</summary>
    public const string OnBehalfOf = "On-Behalf-Of";

    public static Caller Caller(this FunctionContext context) =>
        context.Items.TryGetValue(CallerKey, out var caller) ? (Caller)caller : throw new InvalidOperationException("The request was not authenticated.");

    public static void SetCaller(this FunctionContext context, Caller caller) => context.Items[CallerKey] = caller;

    /// <summary>The caller as the audit log names it: the merchant's key, or the platform key by its name.</summary>
    public static Actor Actor(this FunctionContext context) => context.Caller().ActorOf(context.GetHttpContext()?.RequestId());

    public static string RequestId(this HttpContext http) => http.Items.TryGetValue(RequestIdKey, out var id) ? (string)id! : http.TraceIdentifier;

    public static void SetRequestId(this HttpContext http, string id) => http.Items[RequestIdKey] = id;

    /// <summary>The merchant of the request: the key's own, or the one that a platform key names.</summary>
    public static Result<MerchantId> Merchant(this FunctionContext context, HttpRequest request)
    {
        if (context.Caller().Merchant is { } own)
            return own;
        string? named = request.Headers[OnBehalfOf];
        if (named is null)
            return new Refusal(RefusalCode.ParameterInvalid, $"Name a merchant in the {OnBehalfOf} header. A platform key acts for a merchant.", OnBehalfOf);
        return PrefixedId.TryParse<MerchantId>(named, out var merchant)
            ? merchant
            : new Refusal(RefusalCode.ParameterInvalid, $"The {OnBehalfOf} header must be a merchant's id, such as mer_....", OnBehalfOf);
    }

    public static Refusal? RequirePlatform(this FunctionContext context) => context.Caller().IsPlatform
        ? null
        : new Refusal(RefusalCode.Forbidden, "This operation requires a platform key.");
}
