using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Middleware;
using Microsoft.Extensions.Configuration;
using Payments.Domain;
using Payments.Domain.Merchants;
using Payments.Functions.Http;

namespace Payments.Functions.Middleware;

/// <summary>
/// Requires a valid key under <c>/v1</c>. Partners authenticate by the signatures of their webhooks, and the health endpoints show only
/// public facts. A key that may only read is refused every request that could change something. A key that exceeds
/// <c>Http:RequestsPerSecond</c> is refused. An address that sends wrong keys has a limit of its own.
/// </summary>
internal sealed class AuthenticationMiddleware(ApiKeys keys, CallerAddress addresses, IConfiguration configuration, TimeProvider time) : IFunctionsWorkerMiddleware
{
    // The burst is the budget of two seconds, because clients that work off a queue send in bursts.
    private readonly RequestBudget _requests = new(
        configuration.GetValue("Http:RequestsPerSecond", 0.0), 2 * configuration.GetValue("Http:RequestsPerSecond", 0.0), time);

    // A caller cannot guess a key of 256 bits. This limit protects the database from the attempts.
    private readonly RequestBudget _wrongKeys = new(perSecond: 5, burst: 50, time);

    public async Task Invoke(FunctionContext context, FunctionExecutionDelegate next)
    {
        if (context.GetHttpContext() is { } http && http.Request.Path.StartsWithSegments("/v1", StringComparison.OrdinalIgnoreCase))
        {
            var (caller, refusal) = await AdmitAsync(context, http, http.RequestAborted);
            if (caller is null)
            {
                context.GetInvocationResult().Value = Problems.Of(refusal!);
                return;
            }

            context.SetCaller(caller);
        }

        await next(context);
    }

    private async ValueTask<(Caller? Caller, Refusal? Refusal)> AdmitAsync(FunctionContext context, HttpContext http, CancellationToken ct)
    {
        const string Scheme = "Bearer ";
        var request = http.Request;
        if (!_wrongKeys.IsUnused && _wrongKeys.Look(addresses.Of(context, http)) is { } wait)
            return (null, TooMany("Too many requests with wrong keys came from this address.", wait));
        string? header = request.Headers.Authorization;
        var caller = header is { Length: > 7 and < 512 } && header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            ? await keys.AuthenticateAsync(header[Scheme.Length..].Trim(), ct)
            : null;
        if (caller is null)
        {
            _wrongKeys.Take(addresses.Of(context, http));
            return (null, new Refusal(RefusalCode.Unauthenticated, "Send a valid key: Authorization: Bearer sk_...."));
        }

        if (_requests.Take(caller.ActorOf().Name) is { } later)
            return (null, TooMany("This key sends more requests than are allowed. Nothing was done.", later));
        if (!caller.CanWrite && !HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method))
            return (null, new Refusal(RefusalCode.Forbidden, "This key can only read. Use a key with the scope write."));
        return (caller, null);
    }

    private static Refusal TooMany(string detail, TimeSpan wait) => new(RefusalCode.RateLimited, detail, RetryAfter: wait);
}
