using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Middleware;
using Microsoft.Extensions.Logging;
using Payments.Domain;
using Payments.Domain.Database;
using Payments.Functions.Http;

namespace Payments.Functions.Middleware;

/// <summary>
/// Wraps every HTTP function. It gives the request an id, which the response and the logs carry. It turns exceptions into problems, which
/// would otherwise be empty 500 responses.
/// </summary>
internal sealed class RequestMiddleware(TimeProvider time, ILogger<RequestMiddleware> log) : IFunctionsWorkerMiddleware
{
    public const string Header = "X-Request-Id";

    public async Task Invoke(FunctionContext context, FunctionExecutionDelegate next)
    {
        if (context.GetHttpContext() is not { } http)
        {
            await next(context);
            return;
        }

        var id = Accept(http.Request.Headers[Header]) ?? $"req_{Guid.CreateVersion7(time.GetUtcNow()):N}";
        http.SetRequestId(id);
        http.Response.Headers[Header] = id;
        Activity.Current?.SetTag("request.id", id);
        using var scope = log.BeginScope(new Dictionary<string, object> { ["RequestId"] = id });
        try
        {
            await next(context);
        }
        catch (OverloadedException e)
        {
            context.GetInvocationResult().Value = Problems.Of(new Refusal(RefusalCode.Overloaded, "More is waiting than can be taken on. Nothing was done.", RetryAfter: e.RetryAfter));
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The caller has disconnected and does not read the response.
            context.GetInvocationResult().Value = Results.StatusCode(StatusCodes.Status499ClientClosedRequest);
        }
        catch (Exception e) when (DatabaseErrors.IsTransient(e) || e is CommitUnknownException)
        {
            RequestLog.DatabaseUnavailable(log, context.FunctionDefinition.Name, e);
            context.GetInvocationResult().Value = Problems.DependencyDown(TimeSpan.FromSeconds(2));
        }
        catch (Exception e)
        {
            RequestLog.Failed(log, context.FunctionDefinition.Name, e);
            context.GetInvocationResult().Value = Problems.InternalError();
        }
    }

    // The caller's id goes into logs and headers, so only characters that are safe in both are accepted.
    private static string? Accept(string? id) =>
        id is { Length: > 0 and <= 128 } && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or ':') ? id : null;
}

internal static partial class RequestLog
{
    [LoggerMessage(1001, LogLevel.Error, "Function {FunctionName} failed")]
    public static partial void Failed(ILogger log, string functionName, Exception exception);

    [LoggerMessage(1002, LogLevel.Error, "Function {FunctionName} failed: the database was not available")]
    public static partial void DatabaseUnavailable(ILogger log, string functionName, Exception exception);
}
