using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Middleware;
using Payments.Domain;
using Payments.Domain.Merchants;
using Payments.Functions.Http;

namespace Payments.Functions.Middleware;

/// <summary>
/// Lets only callers with a valid key at <c>/v1</c>. Partners prove themselves by their webhooks' signatures, and the health endpoints tell nothing
/// that is not for everyone. A key that may only read is stopped here at whatever would change something.
/// </summary>
internal sealed class AuthenticationMiddleware(ApiKeys keys) : IFunctionsWorkerMiddleware
{
    public async Task Invoke(FunctionContext context, FunctionExecutionDelegate next)
    {
        if (context.GetHttpContext() is { } http && http.Request.Path.StartsWithSegments("/v1", StringComparison.OrdinalIgnoreCase))
        {
            if (await AuthenticateAsync(http.Request, http.RequestAborted) is not { } caller)
            {
                context.GetInvocationResult().Value = Problems.Of(
                    new Refusal(RefusalCode.Unauthenticated, "Send a valid key: Authorization: Bearer sk_...."));
                return;
            }

            if (!caller.CanWrite && !HttpMethods.IsGet(http.Request.Method) && !HttpMethods.IsHead(http.Request.Method))
            {
                context.GetInvocationResult().Value = Problems.Of(new Refusal(RefusalCode.Forbidden, "This key may only read."));
                return;
            }

            context.SetCaller(caller);
        }

        await next(context);
    }

    private async ValueTask<Caller?> AuthenticateAsync(HttpRequest request, CancellationToken ct)
    {
        const string Scheme = "Bearer ";
        string? header = request.Headers.Authorization;
        return header is { Length: > 7 and < 512 } && header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            ? await keys.AuthenticateAsync(header[Scheme.Length..].Trim(), ct)
            : null;
    }
}
