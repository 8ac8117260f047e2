using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Azure.Functions.Worker.Context.Features;
using Microsoft.Azure.Functions.Worker.Middleware;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Payments.SelfHost.Hosting;

namespace Payments.SelfHost.Tests;

public sealed class HttpTriggerTests
{
    [Fact]
    public async Task Route_WithConstraint_BindsRouteAndQueryToParametersOfTheSameName()
    {
        await using var host = await ProbeHost.StartAsync<HttpProbe>();
        var id = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());

        Assert.Equal($"{id} 7 ", await host.Client.GetStringAsync($"/api/things/{id}?limit=7"));
        Assert.Equal(HttpStatusCode.NotFound, (await host.Client.GetAsync("/api/things/not-a-guid")).StatusCode);
    }

    [Fact]
    public async Task Route_Absent_IsTheFunctionsNameUnderThePrefix()
    {
        await using var host = await ProbeHost.StartAsync<HttpProbe>();
        Assert.Equal("named", await host.Client.GetStringAsync("/api/Named"));
    }

    [Fact]
    public async Task RoutePrefix_InHostJson_ReplacesApi()
    {
        await using var host = await ProbeHost.StartAsync<HttpProbe>("""{ "extensions": { "http": { "routePrefix": "" } } }""");
        Assert.Equal("named", await host.Client.GetStringAsync("/named"));
        Assert.Equal(HttpStatusCode.NotFound, (await host.Client.GetAsync("/api/named")).StatusCode);
    }

    [Fact]
    public async Task RoutePrefix_AsAppSetting_IsRefusedAtStart()
    {
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => ProbeHost.StartAsync<HttpProbe>(
            settings: new() { ["AzureFunctionsJobHost:extensions:http:routePrefix"] = "other" }));
        Assert.Contains("routePrefix", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Method_Wrong_Is404WithoutAllowHeader()
    {
        await using var host = await ProbeHost.StartAsync<HttpProbe>();
        using var response = await host.Client.DeleteAsync($"/api/things/{Guid.Empty}");
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Empty(response.Content.Headers.Allow);
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("POST")]
    [InlineData("PATCH")]
    public async Task Methods_Null_AnswersAll(string method)
    {
        await using var host = await ProbeHost.StartAsync<HttpProbe>();
        using var request = new HttpRequestMessage(new HttpMethod(method), "/api/named");
        Assert.Equal(HttpStatusCode.OK, (await host.Client.SendAsync(request)).StatusCode);
    }

    [Theory]
    [InlineData("poco")]
    [InlineData("string")]
    [InlineData("void")]
    [InlineData("null")]
    public async Task Result_OfAnUnsupportedType_IsAnEmpty200(string kind)
    {
        await using var host = await ProbeHost.StartAsync<HttpProbe>();
        using var response = await host.Client.GetAsync($"/api/returns-{kind}");
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Empty(await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Result_ActionResult_IsExecuted()
    {
        await using var host = await ProbeHost.StartAsync<HttpProbe>();
        using var response = await host.Client.GetAsync("/api/action");
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        Assert.Equal("""{"name":"x"}""", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Function_Throws_IsAnEmpty500AndPrinted()
    {
        await using var host = await ProbeHost.StartAsync<HttpProbe>();
        using var response = await host.Client.GetAsync("/api/throws");
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Empty(await response.Content.ReadAsStringAsync());
        Assert.Contains("'Throws' failed", host.Output.ToString(), StringComparison.Ordinal);
        Assert.Contains("deliberate", host.Output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Function_ThrowsAfterTheFirstFlush_ResetsTheConnection()
    {
        await using var host = await ProbeHost.StartAsync<HttpProbe>();
        await Assert.ThrowsAsync<HttpRequestException>(() => host.Client.GetStringAsync("/api/throws-late"));
    }

    [Fact]
    public async Task Converter_FailsOnAQueryValue_IsAnEmpty500()
    {
        await using var host = await ProbeHost.StartAsync<HttpProbe>();
        using var response = await host.Client.GetAsync("/api/needs-guid?id=nonsense");
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Empty(await response.Content.ReadAsStringAsync());
        Assert.Contains(nameof(FunctionInputConverterException), host.Output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ValueParameter_WithNothingToBind_Is500()
    {
        await using var host = await ProbeHost.StartAsync<HttpProbe>();
        Assert.Equal(HttpStatusCode.InternalServerError, (await host.Client.GetAsync("/api/needs-guid")).StatusCode);
    }

    [Fact]
    public async Task Parameters_ThatNothingBinds_AreNullOrTheirDefault()
    {
        await using var host = await ProbeHost.StartAsync<HttpProbe>();
        Assert.Equal("null null null null null 5", await host.Client.GetStringAsync("/api/unbindable"));
    }

    [Fact]
    public async Task Trigger_OnAnotherTypeThanHttpRequest_GetsNull()
    {
        await using var host = await ProbeHost.StartAsync<HttpProbe>();
        Assert.Equal("null", await host.Client.GetStringAsync("/api/poco-trigger"));
    }

    [Fact]
    public async Task RetryContext_WithoutPolicy_IsNull()
    {
        await using var host = await ProbeHost.StartAsync<HttpProbe>();
        Assert.Equal("retry:null httpContext:same services:same accessor:null", await host.Client.GetStringAsync("/api/context"));
    }

    [Fact]
    public async Task Scope_IsOnePerInvocationAndDisposedAfterIt()
    {
        var scopes = new ConcurrentBag<Scoped>();
        await using var host = await ProbeHost.StartAsync<ScopeProbe>(configure: builder =>
        {
            builder.ConfigureFunctionsWebApplication();
            builder.Services.AddSingleton(scopes).AddScoped<Scoped>();
            builder.UseMiddleware(async (context, next) =>
            {
                _ = context.InstanceServices.GetRequiredService<Scoped>();
                await next();
            });
        });

        Assert.Equal("same", await host.Client.GetStringAsync("/api/scope"));
        Assert.Equal("same", await host.Client.GetStringAsync("/api/scope"));
        Assert.Equal(2, scopes.Count);
        await Poll.UntilAsync(() => scopes.All(scope => scope.Disposed), "both scopes are disposed");
    }

    [Fact]
    public async Task FunctionClass_IsMadeForEachInvocationAndNeverDisposed()
    {
        DisposableProbe.Made = 0;
        await using var host = await ProbeHost.StartAsync<DisposableProbe>();
        Assert.Equal("1", await host.Client.GetStringAsync("/api/made"));
        Assert.Equal("2", await host.Client.GetStringAsync("/api/made"));
        Assert.False(DisposableProbe.WasDisposed);
    }

    [Fact]
    public async Task Middleware_RunsInRegistrationOrderAroundTheFunction()
    {
        var steps = new ConcurrentQueue<string>();
        await using var host = await ProbeHost.StartAsync<HttpProbe>(configure: builder =>
        {
            builder.ConfigureFunctionsWebApplication();
            builder.Services.AddSingleton(steps);
            builder.UseMiddleware<FirstMiddleware>();
            builder.UseMiddleware(async (_, next) =>
            {
                steps.Enqueue("second in");
                await next();
                steps.Enqueue("second out");
            });
            builder.UseWhen(context => context.FunctionDefinition.Name == "Named", async (_, next) =>
            {
                steps.Enqueue("named only");
                await next();
            });
        });
        await host.Client.GetStringAsync("/api/named");
        await host.Client.GetAsync("/api/action");

        string[] expected = ["first in", "second in", "named only", "second out", "first out", "first in", "second in", "second out", "first out"];
        Assert.Equal(expected, steps);
        Assert.Same(host.Services.GetRequiredService<FirstMiddleware>(), FirstMiddleware.Last);
    }

    [Fact]
    public async Task Middleware_BeforeConfigureFunctionsWebApplication_SeesNoHttpContext()
    {
        var seen = new ConcurrentQueue<bool>();
        await using var host = await ProbeHost.StartAsync<HttpProbe>(configure: builder =>
        {
            builder.UseMiddleware(async (context, next) =>
            {
                seen.Enqueue(context.GetHttpContext() is not null);
                await next();
            });
            builder.ConfigureFunctionsWebApplication();
            builder.UseMiddleware(async (context, next) =>
            {
                seen.Enqueue(context.GetHttpContext() is not null);
                Assert.Same(context.GetHttpContext(), context.Items["HttpRequestContext"]);
                await next();
            });
        });
        Assert.Equal("named", await host.Client.GetStringAsync("/api/named"));
        Assert.Equal([false, true], seen);
    }

    [Fact]
    public async Task Middleware_ReplacesTheResultAfterNext()
    {
        await using var host = await ProbeHost.StartAsync<HttpProbe>(configure: builder =>
        {
            builder.ConfigureFunctionsWebApplication();
            builder.UseMiddleware(async (context, next) =>
            {
                try
                {
                    await next();
                }
                catch (InvalidOperationException)
                {
                    context.GetInvocationResult().Value = Results.Text("replaced", statusCode: 409);
                }
            });
        });
        using var response = await host.Client.GetAsync("/api/throws");
        Assert.Equal(HttpStatusCode.Conflict, response.StatusCode);
        Assert.Equal("replaced", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Middleware_WithoutNext_StillWritesItsResult()
    {
        await using var host = await ProbeHost.StartAsync<HttpProbe>(configure: builder =>
        {
            builder.ConfigureFunctionsWebApplication();
            builder.UseMiddleware((context, _) =>
            {
                context.GetInvocationResult().Value = Results.StatusCode(401);
                return Task.CompletedTask;
            });
        });
        Assert.Equal(HttpStatusCode.Unauthorized, (await host.Client.GetAsync("/api/named")).StatusCode);
    }

    [Fact]
    public async Task InvocationResult_AskedForAsAnotherType_Throws()
    {
        Exception? thrown = null;
        await using var host = await ProbeHost.StartAsync<HttpProbe>(configure: builder =>
        {
            builder.ConfigureFunctionsWebApplication();
            builder.UseMiddleware(async (context, next) =>
            {
                await next();
                thrown = Record.Exception(() => context.GetInvocationResult<string>());
            });
        });
        await host.Client.GetAsync("/api/named");
        Assert.IsType<InvalidOperationException>(thrown);
    }

    [Fact]
    public async Task Middleware_ChangesAnArgument_TheFunctionGetsIt()
    {
        await using var host = await ProbeHost.StartAsync<HttpProbe>(configure: builder =>
        {
            builder.ConfigureFunctionsWebApplication();
            builder.UseMiddleware(async (context, next) =>
            {
                var bound = await context.Features.Get<IFunctionInputBindingFeature>()!.BindFunctionInputAsync(context);
                bound.Values[2] = 42;
                await next();
            });
        });
        Assert.Equal($"{Guid.Empty} 42 ", await host.Client.GetStringAsync($"/api/things/{Guid.Empty}"));
    }

    [Fact]
    public async Task BindingData_HoldsRouteAndQueryWhateverTheCase()
    {
        await using var host = await ProbeHost.StartAsync<HttpProbe>();
        Assert.Equal("A1 7", await host.Client.GetStringAsync("/api/data/A1?limit=7"));
    }

    [Fact]
    public async Task SynchronousRead_OfTheBody_Is500()
    {
        await using var host = await ProbeHost.StartAsync<HttpProbe>();
        using var response = await host.Client.PostAsync("/api/sync-read", new StringContent("x"));
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
    }

    [Fact]
    public async Task Body_OverTheLimitOfTheSetting_IsNotRead()
    {
        await using var host = await ProbeHost.StartAsync<HttpProbe>(settings: new() { ["FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"] = "10" });
        using var small = await host.Client.PostAsync("/api/read", new StringContent("0123456789"));
        Assert.Equal("10", await small.Content.ReadAsStringAsync());
        using var large = await host.Client.PostAsync("/api/read", new StringContent("01234567890"));
        Assert.False(large.IsSuccessStatusCode);
    }

    [Fact]
    public async Task Cancellation_TripsWhenTheClientGoesAway()
    {
        WaitProbe.Reset();
        await using var host = await ProbeHost.StartAsync<WaitProbe>();
        using var client = new CancellationTokenSource();
        var call = host.Client.GetAsync("/api/wait", client.Token);
        await WaitProbe.Started.Task.WaitAsync(TimeSpan.FromSeconds(10));
        await client.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        Assert.True(await WaitProbe.Cancelled.Task.WaitAsync(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public async Task FunctionTimeout_InHostJson_TripsTheToken()
    {
        WaitProbe.Reset();
        await using var host = await ProbeHost.StartAsync<WaitProbe>("""{ "functionTimeout": "00:00:00.200" }""");
        _ = host.Client.GetAsync("/api/wait");
        Assert.True(await WaitProbe.Cancelled.Task.WaitAsync(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public async Task HostJson_IsOverriddenByAppSettings()
    {
        WaitProbe.Reset();
        await using var host = await ProbeHost.StartAsync<WaitProbe>(
            """{ "functionTimeout": "00:10:00" }""", settings: new() { ["AzureFunctionsJobHost:functionTimeout"] = "00:00:00.200" });
        _ = host.Client.GetAsync("/api/wait");
        Assert.True(await WaitProbe.Cancelled.Task.WaitAsync(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public async Task HostJson_WithAWrongValue_IsRefusedByKey()
    {
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => ProbeHost.StartAsync<WaitProbe>("""{ "functionTimeout": "soon" }"""));
        Assert.Contains("'functionTimeout' is 'soon'", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MaxOutstandingRequests_BeyondIt_Is429()
    {
        WaitProbe.Reset();
        await using var host = await ProbeHost.StartAsync<WaitProbe>("""{ "extensions": { "http": { "maxOutstandingRequests": 1 } } }""");
        var running = host.Client.GetStringAsync("/api/wait-for-release");
        await WaitProbe.Started.Task.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(HttpStatusCode.TooManyRequests, (await host.Client.GetAsync("/api/wait")).StatusCode);
        WaitProbe.Release.SetResult();
        Assert.Equal("released", await running);
    }

    [Fact]
    public async Task FunctionContext_TellsOfTheFunction()
    {
        FunctionContext? seen = null;
        await using var host = await ProbeHost.StartAsync<HttpProbe>(configure: builder =>
        {
            builder.ConfigureFunctionsWebApplication();
            builder.UseMiddleware((context, next) =>
            {
                seen = context;
                return next();
            });
        });
        await host.Client.GetAsync($"/api/things/{Guid.Empty}");
        Assert.NotNull(seen);
        Assert.True(Guid.TryParse(seen.InvocationId, out _));
        Assert.Equal("Thing", seen.FunctionDefinition.Name);
        Assert.Equal("Payments.SelfHost.Tests.HttpProbe.Thing", seen.FunctionDefinition.EntryPoint);
        Assert.Equal(["request", "id", "limit", "absent"], seen.FunctionDefinition.Parameters.Select(parameter => parameter.Name));
        Assert.Equal("httpTrigger", seen.FunctionDefinition.InputBindings["request"].Type);
        Assert.Equal(BindingDirection.Out, seen.FunctionDefinition.OutputBindings["$return"].Direction);
    }

    [Fact]
    public async Task Stop_WaitsForARunningRequest()
    {
        WaitProbe.Reset();
        var host = await ProbeHost.StartAsync<WaitProbe>();
        var call = host.Client.GetStringAsync("/api/wait-for-release");
        await WaitProbe.Started.Task.WaitAsync(TimeSpan.FromSeconds(10));
        var stop = host.Host.StopAsync();
        Assert.False(stop.IsCompleted);
        WaitProbe.Release.SetResult();
        Assert.Equal("released", await call.WaitAsync(TimeSpan.FromSeconds(10)));
        await stop.WaitAsync(TimeSpan.FromSeconds(10));
        await host.DisposeAsync();
    }

    [Theory]
    [InlineData("AzureWebJobs.Named.Disabled", "true")]
    [InlineData("AzureWebJobs:Named:Disabled", "1")]
    public async Task Disabled_HttpFunction_Is404(string setting, string value)
    {
        await using var host = await ProbeHost.StartAsync<HttpProbe>(settings: new() { [setting] = value });
        Assert.Equal(HttpStatusCode.NotFound, (await host.Client.GetAsync("/api/named")).StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, (await host.Client.GetAsync("/api/action")).StatusCode);
        Assert.Contains("(disabled)", host.Output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Logging_OfTheBuilder_HasNoConsole()
    {
        var builder = FunctionsApplication.CreateBuilder([]);
        Assert.DoesNotContain(builder.Services, service => service.ServiceType == typeof(ILoggerProvider));
        await using var host = await ProbeHost.StartAsync<HttpProbe>();
        Assert.Empty(host.Services.GetServices<ILoggerProvider>());
    }

    [Fact]
    public async Task Start_PrintsEachFunctionWithMethodsAndAddress()
    {
        await using var host = await ProbeHost.StartAsync<HttpProbe>();
        Assert.Contains(
            $"Thing: [GET,POST] {host.Client.BaseAddress}api/things/{{id:guid}}", host.Output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task LocalSettings_AreSettingsThatArgumentsOverride()
    {
        const string local = """{ "IsEncrypted": false, "Values": { "Greeting": "hello", "A__B": "nested", "Name": "file" } }""";
        await using var host = await ProbeHost.StartAsync<SettingsProbe>(localSettings: local, settings: new() { ["Name"] = "argument" });
        Assert.Equal("hello nested argument ", await host.Client.GetStringAsync("/api/settings"));
    }

    [Fact]
    public async Task HttpFunction_WithoutConfigureFunctionsWebApplication_IsRefusedAtStart()
    {
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => ProbeHost.StartAsync<HttpProbe>(configure: _ => { }));
        Assert.Contains("ConfigureFunctionsWebApplication", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(typeof(DuplicateProbe), "'same'")]
    [InlineData(typeof(RetryProbe), "retry")]
    [InlineData(typeof(TwoTriggersProbe), "2 triggers")]
    [InlineData(typeof(EmptyRouteProbe), "empty route")]
    public async Task IllegalFunction_IsRefusedAtStartByName(Type functions, string says)
    {
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => ProbeHost.StartAsync([functions]));
        Assert.Contains(says, e.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void Build_Twice_Throws()
    {
        var builder = FunctionsApplication.CreateBuilder([]).ConfigureSelfHost(options => options.Include = _ => false);
        using var host = builder.Build();
        Assert.Throws<InvalidOperationException>(builder.Build);
    }
}

internal static class Poll
{
    /// <summary>Waits, at most 20 seconds, until something holds.</summary>
    public static async Task UntilAsync(Func<bool> holds, string what) => await UntilAsync(() => Task.FromResult(holds()), what);

    public static async Task UntilAsync(Func<Task<bool>> holds, string what)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!await holds())
        {
            if (TimeProvider.System.GetElapsedTime(start) > TimeSpan.FromSeconds(20))
                Assert.Fail($"Not within 20 s: {what}.");
            await Task.Delay(20);
        }
    }
}

public sealed record Named(string Name);

public sealed class HttpProbe
{
    [Function("Thing")]
    public IResult Thing(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", "post", Route = "things/{id:guid}")] HttpRequest request,
        Guid id, int? limit, string? absent) => Results.Text($"{id} {limit} {absent}");

    [Function("Named")]
    public IResult NamedFunction([HttpTrigger(AuthorizationLevel.Anonymous)] HttpRequest request) => Results.Text("named");

    [Function("ReturnsPoco")]
    public Named ReturnsPoco([HttpTrigger(AuthorizationLevel.Anonymous, Route = "returns-poco")] HttpRequest request) => new("x");

    [Function("ReturnsString")]
    public Task<string> ReturnsString([HttpTrigger(AuthorizationLevel.Anonymous, Route = "returns-string")] HttpRequest request) => Task.FromResult("x");

    [Function("ReturnsVoid")]
    public void ReturnsVoid([HttpTrigger(AuthorizationLevel.Anonymous, Route = "returns-void")] HttpRequest request)
    {
    }

    [Function("ReturnsNull")]
    public ValueTask<IResult?> ReturnsNull([HttpTrigger(AuthorizationLevel.Anonymous, Route = "returns-null")] HttpRequest request) => new((IResult?)null);

    [Function("Action")]
    public IActionResult ActionFunction([HttpTrigger(AuthorizationLevel.Anonymous, Route = "action")] HttpRequest request) =>
        new AcceptedResult((string?)null, new Named("x"));

    [Function("Throws")]
    public IResult Throws([HttpTrigger(AuthorizationLevel.Anonymous, Route = "throws")] HttpRequest request)
    {
        request.HttpContext.Response.Headers["x-left"] = "over";
        throw new InvalidOperationException("deliberate");
    }

    [Function("ThrowsLate")]
    public async Task ThrowsLate([HttpTrigger(AuthorizationLevel.Anonymous, Route = "throws-late")] HttpRequest request)
    {
        await request.HttpContext.Response.Body.WriteAsync(Encoding.UTF8.GetBytes("some"));
        await request.HttpContext.Response.Body.FlushAsync();
        throw new InvalidOperationException("deliberate");
    }

    [Function("NeedsGuid")]
    public IResult NeedsGuid([HttpTrigger(AuthorizationLevel.Anonymous, Route = "needs-guid")] HttpRequest request, Guid id) => Results.Text(id.ToString());

    [Function("Unbindable")]
    public IResult Unbindable(
        [HttpTrigger(AuthorizationLevel.Anonymous, Route = "unbindable")] HttpRequest request,
        HttpContext? context, HttpResponse? response, Named? poco, int? number, string? text, int other = 5) =>
        Results.Text($"{context?.ToString() ?? "null"} {response?.ToString() ?? "null"} {poco?.Name ?? "null"} {number?.ToString() ?? "null"} {text ?? "null"} {other}");

    [Function("PocoTrigger")]
    public IResult PocoTrigger([HttpTrigger(AuthorizationLevel.Anonymous, Route = "poco-trigger")] Named? body) => Results.Text(body?.Name ?? "null");

    [Function("Context")]
    public IResult Context([HttpTrigger(AuthorizationLevel.Anonymous, Route = "context")] HttpRequest request, FunctionContext context)
    {
        var same = ReferenceEquals(context.GetHttpContext(), request.HttpContext);
        var services = ReferenceEquals(context.InstanceServices, request.HttpContext.RequestServices);
#pragma warning disable RS0030 // The point is that there is none.
        var accessor = context.InstanceServices.GetService<IHttpContextAccessor>()?.HttpContext;
#pragma warning restore RS0030
        return Results.Text(
            $"retry:{(context.RetryContext is null ? "null" : "set")} httpContext:{(same ? "same" : "other")} "
            + $"services:{(services ? "same" : "other")} accessor:{(accessor is null ? "null" : "set")}");
    }

    [Function("Data")]
    public IResult Data([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "data/{Id}")] HttpRequest request, FunctionContext context) =>
        Results.Text($"{context.BindingContext.BindingData["iD"]} {context.BindingContext.BindingData["LIMIT"]}");

    [Function("SyncRead")]
    public IResult SyncRead([HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "sync-read")] HttpRequest request)
    {
        using var reader = new StreamReader(request.Body);
        return Results.Text(reader.ReadToEnd());
    }

    [Function("Read")]
    public async Task<IResult> Read([HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "read")] HttpRequest request, CancellationToken cancellation)
    {
        using var reader = new StreamReader(request.Body);
        return Results.Text((await reader.ReadToEndAsync(cancellation)).Length.ToString(System.Globalization.CultureInfo.InvariantCulture));
    }
}

public sealed class Scoped : IDisposable
{
    public Scoped(ConcurrentBag<Scoped> all) => all.Add(this);

    public bool Disposed { get; private set; }

    public void Dispose() => Disposed = true;
}

public sealed class ScopeProbe(Scoped injected)
{
    [Function("Scope")]
    public IResult Run([HttpTrigger(AuthorizationLevel.Anonymous, Route = "scope")] HttpRequest request, FunctionContext context) =>
        Results.Text(
            ReferenceEquals(injected, context.InstanceServices.GetService<Scoped>())
            && ReferenceEquals(injected, request.HttpContext.RequestServices.GetService<Scoped>()) && !injected.Disposed ? "same" : "other");
}

public sealed class DisposableProbe : IDisposable
{
    public static int Made { get; set; }

    public static bool WasDisposed { get; private set; }

    public DisposableProbe() => Made++;

    [Function("Made")]
    public IResult Run([HttpTrigger(AuthorizationLevel.Anonymous, Route = "made")] HttpRequest request) =>
        Results.Text(Made.ToString(System.Globalization.CultureInfo.InvariantCulture));

    public void Dispose() => WasDisposed = true;
}

public sealed class SettingsProbe(Microsoft.Extensions.Configuration.IConfiguration settings)
{
    [Function("Settings")]
    public IResult Run([HttpTrigger(AuthorizationLevel.Anonymous, Route = "settings")] HttpRequest request) =>
        Results.Text($"{settings["Greeting"]} {settings["A:B"]} {settings["Name"]} {settings["port"]}");
}

public sealed class FirstMiddleware(ConcurrentQueue<string> steps) : IFunctionsWorkerMiddleware
{
    public static FirstMiddleware? Last { get; private set; }

    public async Task Invoke(FunctionContext context, FunctionExecutionDelegate next)
    {
        Last = this;
        steps.Enqueue("first in");
        await next(context);
        steps.Enqueue("first out");
    }
}

public sealed class WaitProbe
{
    public static TaskCompletionSource Started { get; private set; } = new();

    public static TaskCompletionSource Release { get; private set; } = new();

    public static TaskCompletionSource<bool> Cancelled { get; private set; } = new();

    public static void Reset() => (Started, Release, Cancelled) = (new(), new(), new());

    [Function("Wait")]
    public async Task<IResult> Wait([HttpTrigger(AuthorizationLevel.Anonymous, Route = "wait")] HttpRequest request, CancellationToken cancellation)
    {
        Started.SetResult();
        try
        {
            await Task.Delay(Timeout.Infinite, cancellation);
        }
        finally
        {
            Cancelled.SetResult(cancellation.IsCancellationRequested);
        }
        return Results.Ok();
    }

    [Function("WaitForRelease")]
    public async Task<IResult> WaitForRelease([HttpTrigger(AuthorizationLevel.Anonymous, Route = "wait-for-release")] HttpRequest request)
    {
        Started.SetResult();
        await Release.Task;
        return Results.Text("released");
    }
}

public sealed class DuplicateProbe
{
    [Function("Same")]
    public void One([HttpTrigger(AuthorizationLevel.Anonymous, Route = "one")] HttpRequest request)
    {
    }

    [Function("same")]
    public void Two([HttpTrigger(AuthorizationLevel.Anonymous, Route = "two")] HttpRequest request)
    {
    }
}

public sealed class RetryProbe
{
    [Function("Retried"), FixedDelayRetry(3, "00:00:01")]
    public void Run([HttpTrigger(AuthorizationLevel.Anonymous)] HttpRequest request)
    {
    }
}

public sealed class TwoTriggersProbe
{
    [Function("Two")]
    public void Run([HttpTrigger(AuthorizationLevel.Anonymous)] HttpRequest request, [TimerTrigger("0 * * * *")] TimerInfo timer)
    {
    }
}

public sealed class EmptyRouteProbe
{
    [Function("Empty")]
    public void Run([HttpTrigger(AuthorizationLevel.Anonymous, Route = "")] HttpRequest request)
    {
    }
}
