using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.Configuration;

namespace FunctionsHost.SampleApp;

/// <summary>Functions that a request starts. Their routes are tried in the order of their names.</summary>
public sealed class HttpFunctions(IConfiguration settings, Journal journal)
{
    [Function("Empty")]
    public IResult Empty([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "empty")] HttpRequest request) => Results.Ok();

    [Function("Named")]
    public IResult Named([HttpTrigger(AuthorizationLevel.Anonymous)] HttpRequest request) => Results.Text("named " + request.Method);

    [Function("Thing")]
    public IResult Thing(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", "post", Route = "things/{id:guid}")] HttpRequest request, Guid id, int limit) =>
        Results.Text($"{id} {limit}");

    [Function("ThingAPreview")]
    public IResult ThingPreview([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "things/preview")] HttpRequest request) =>
        Results.Text("preview");

    [Function("Action")]
    public IActionResult Action([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "action")] HttpRequest request) =>
        new AcceptedResult("", new { Name = "x" });

    [Function("Poco")]
    public object Poco([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "poco")] HttpRequest request) => new { Name = "x" };

    [Function("Throws")]
    public IResult Throws([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "throws")] HttpRequest request) =>
        throw new InvalidOperationException("deliberate");

    [Function("ThrowsLate")]
    public async Task ThrowsLate([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "throws-late")] HttpRequest request)
    {
        await request.HttpContext.Response.WriteAsync("begun");
        await request.HttpContext.Response.Body.FlushAsync();
        throw new InvalidOperationException("deliberate");
    }

    /// <summary>What the function sees of the caller.</summary>
    [Function("Caller")]
    public IResult Caller(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "caller")] HttpRequest request,
        FunctionContext context) => Results.Json(new
        {
            Peer = request.HttpContext.Connection.RemoteIpAddress?.ToString(),
            Host = request.Host.Value,
            request.Scheme,
            ForwardedFor = request.Headers["X-Forwarded-For"].ToString(),
            Custom = request.Headers["X-Custom"].ToString(),
            Invocation = request.Headers["x-ms-invocation-id"].ToString() == context.InvocationId,
            Headers = context.BindingContext.BindingData["Headers"] as string,
            Query = context.BindingContext.BindingData["Query"] as string,
            context.TraceContext.TraceParent,
        });

    [Function("Data")]
    public IResult Data(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "data/{key}/{more?}")] HttpRequest request, FunctionContext context) =>
        Results.Text(
            $"{context.BindingContext.BindingData["KEY"]} {context.BindingContext.BindingData["LIMIT"]} "
            + $"{context.BindingContext.BindingData.ContainsKey("more")}");

    [Function("Read")]
    public async Task<IResult> Read(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "read")] HttpRequest request, CancellationToken cancellation)
    {
        using var reader = new StreamReader(request.Body);
        return Results.Text((await reader.ReadToEndAsync(cancellation)).Length.ToString(System.Globalization.CultureInfo.InvariantCulture));
    }

    [Function("Setting")]
    public IResult Setting([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "setting/{name}")] HttpRequest request, string name) =>
        Results.Text(settings[name] ?? "(not set)");

    [Function("Wait")]
    public async Task<IResult> Wait(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "wait")] HttpRequest request,
        FunctionContext context, CancellationToken cancellation)
    {
        await journal.TakeAsync("waiting", context, cancellation);
        return Results.Text("released");
    }

    /// <summary>Heeds no token.</summary>
    [Function("Deaf")]
    public async Task<IResult> Deaf(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "deaf")] HttpRequest request, FunctionContext context)
    {
        await journal.TakeAsync("deaf", context, CancellationToken.None);
        return Results.Ok();
    }

    [Function("Crash")]
    public IResult Crash([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "crash")] HttpRequest request)
    {
        using var self = System.Diagnostics.Process.GetCurrentProcess();
        self.Kill();
        return Results.Ok();
    }

    /// <summary>Last by name: whatever no other function takes.</summary>
    [Function("ZUnknown")]
    public IResult Unknown([HttpTrigger(AuthorizationLevel.Anonymous, Route = "catch/{*path}")] HttpRequest request, string? path) =>
        Results.Text($"unknown {path}", statusCode: StatusCodes.Status404NotFound);
}
