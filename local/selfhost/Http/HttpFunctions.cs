using System.Text.Json;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Middleware;
using Payments.SelfHost.Hosting;

namespace Payments.SelfHost.Http;

/// <summary>Serves HTTP functions from Kestrel through endpoint routing.</summary>
internal static class HttpFunctions
{
    public static void Map(WebApplication app, IEnumerable<FunctionDescriptor> functions, HostJson hostJson, FunctionExecutor executor)
    {
        var prefix = RoutePrefix(hostJson);
        TimeSpan? timeout = hostJson.Time("functionTimeout", TimeSpan.Zero) is { } time && time > TimeSpan.Zero ? time : null;
        var throttle = ThrottleOf(hostJson);
        if (throttle is not null)
            app.Lifetime.ApplicationStopped.Register(throttle.Dispose);
        var routes = (IEndpointRouteBuilder)app;
        foreach (var function in functions)
        {
            var trigger = (HttpTriggerAttribute)function.Trigger;
            var pattern = RoutePatternFactory.Parse(RouteOf(function, prefix));
            RequestDelegate serve = context => ServeAsync(context, function, executor, timeout);
            var endpoint = routes.Map(pattern, throttle is null ? serve : context => ThrottleAsync(context, throttle, serve)).WithDisplayName(function.Name);
            endpoint.WithMetadata(function);
            if (trigger.Methods is { Length: > 0 } methods)
                endpoint.WithMetadata(new HttpMethodMetadata(methods));
        }
        // A wrong method is 404 on the platform: routing's own 405 endpoint carries no function and is passed over.
        app.Run(static context =>
        {
            if (context.GetEndpoint() is { } endpoint && endpoint.Metadata.GetMetadata<FunctionDescriptor>() is not null)
                return endpoint.RequestDelegate!(context);
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return Task.CompletedTask;
        });
    }

    public static string RoutePrefix(HostJson hostJson) => hostJson.Text("extensions:http:routePrefix", "api").Trim('/');

    public static string RouteOf(FunctionDescriptor function, string prefix)
    {
        // With an empty route the host falls back to the function's name and the worker does not, so no request is ever answered.
        var trigger = (HttpTriggerAttribute)function.Trigger;
        if (trigger.Route is { Length: 0 })
            throw new InvalidOperationException($"Function '{function.Name}' has an empty route, which the host and the worker read differently.");
        return $"{prefix}/{(trigger.Route ?? function.Name).TrimStart('/')}".TrimStart('/');
    }

    /// <summary>
    /// The pipeline's HTTP step. What comes before it sees no request. The result is written after the rest of the
    /// pipeline has returned, so middleware can replace it.
    /// </summary>
    public static FunctionExecutionDelegate ServeResults(FunctionExecutionDelegate next) => async context =>
    {
        if (context is not HttpInvocation invocation)
        {
            await next(context);
            return;
        }
        invocation.ShowRequest();
        await next(context);
        switch (invocation.ReturnValue)
        {
            case IActionResult action:
                await action.ExecuteResultAsync(new ActionContext(
                    invocation.Request, invocation.Request.GetRouteData(), new Microsoft.AspNetCore.Mvc.Abstractions.ActionDescriptor()));
                break;
            case IResult result:
                await result.ExecuteAsync(invocation.Request);
                break;
            default:
                // Anything else is an empty 200: the worker writes no other type.
                break;
        }
    };

    /// <summary>Null where host.json sets no limit, as it does not by default.</summary>
    private static ConcurrencyLimiter? ThrottleOf(HostJson hostJson)
    {
        var concurrent = hostJson.Number("extensions:http:maxConcurrentRequests", -1);
        var outstanding = hostJson.Number("extensions:http:maxOutstandingRequests", -1);
        if (concurrent < 0 && outstanding < 0)
            return null;
        var running = concurrent >= 0 ? concurrent : outstanding;
        return new ConcurrencyLimiter(new ConcurrencyLimiterOptions
        {
            PermitLimit = running,
            QueueLimit = outstanding < 0 ? int.MaxValue : Math.Max(outstanding - running, 0),
            QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
        });
    }

    private static async Task ThrottleAsync(HttpContext context, ConcurrencyLimiter throttle, RequestDelegate serve)
    {
        using var permit = await throttle.AcquireAsync(1, context.RequestAborted);
        if (permit.IsAcquired)
            await serve(context);
        else
            context.Response.StatusCode = StatusCodes.Status429TooManyRequests;
    }

    private static async Task ServeAsync(HttpContext context, FunctionDescriptor function, FunctionExecutor executor, TimeSpan? timeout)
    {
        using var deadline = timeout is null ? null : CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        deadline?.CancelAfter(timeout!.Value);
        try
        {
            await executor.ExecuteAsync(new HttpInvocation(function, context, deadline?.Token ?? context.RequestAborted));
        }
        catch (Exception)
        {
            // The executor told of it. The client gets an empty 500, or a reset where part of an answer is already out.
            if (context.Response.HasStarted)
            {
                context.Abort();
                return;
            }
            context.Response.Clear();
            context.Response.StatusCode = StatusCodes.Status500InternalServerError;
        }
    }
}

/// <summary>A run that a request started; its scope is the request's.</summary>
internal sealed class HttpInvocation(FunctionDescriptor function, HttpContext context, CancellationToken cancellation)
    : Invocation(function, cancellation)
{
    private bool _visible;

    public HttpContext Request => context;

    public override HttpContext? HttpContext => _visible ? context : null;

    public override object? TriggerInput => context.Request;

    public override IServiceProvider InstanceServices
    {
        get => context.RequestServices;
        set => context.RequestServices = value;
    }

    public void ShowRequest()
    {
        _visible = true;
        if (ItemsMade)
            Items[HttpContextKey] = context;
    }

    public override bool TryGetTriggerData(string name, out object? value)
    {
        if (context.Request.RouteValues.TryGetValue(name, out value) && value is not null)
            return true;
        if (context.Request.Query.TryGetValue(name, out var query))
        {
            value = query.ToString();
            return true;
        }
        value = null;
        return false;
    }

    protected override IReadOnlyDictionary<string, object?> CreateBindingData()
    {
        var data = new Dictionary<string, object?>(StringComparer.OrdinalIgnoreCase);
        var query = context.Request.Query.ToDictionary(q => q.Key, q => q.Value.ToString());
        foreach (var (name, value) in query)
            data[name] = value;
        foreach (var (name, value) in context.Request.RouteValues)
            data[name] = value;
        data["Query"] = JsonSerializer.Serialize(query);
        data["Headers"] = JsonSerializer.Serialize(context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString()));
        return data;
    }

    protected override IDictionary<object, object> CreateItems()
    {
        var items = base.CreateItems();
        if (_visible)
            items[HttpContextKey] = context;
        return items;
    }

    protected override TraceContext CreateTraceContext() => System.Diagnostics.Activity.Current is null
        ? new KnownTraceContext(context.Request.Headers.TraceParent.ToString(), context.Request.Headers.TraceState.ToString())
        : base.CreateTraceContext();
}
