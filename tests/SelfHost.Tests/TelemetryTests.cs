using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Azure.Functions.Worker.OpenTelemetry;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Trace;

namespace Payments.SelfHost.Tests;

/// <summary>Activity sources are global, so spans are told apart by the trace that each test starts.</summary>
public sealed class TelemetryTests
{
    private static string NewTrace() => Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N");

    private static async Task<Activity> SpanOfAsync(ProbeHost host, string path, string trace, ConcurrentQueue<Activity> spans)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add("traceparent", $"00-{trace}-b7ad6b7169203331-01");
        await host.Client.SendAsync(request);
        Activity? span = null;
        await Poll.UntilAsync(() => (span = spans.FirstOrDefault(s => s.TraceId.ToString() == trace)) is not null, "the span ends");
        return span!;
    }

    [Fact]
    public async Task Span_WithTheWorkerDefaults_IsNamedAfterTheFunctionUnderTheCallersTrace()
    {
        var spans = new ConcurrentQueue<Activity>();
        await using var host = await ProbeHost.StartAsync<HttpProbe>(configure: builder =>
        {
            builder.ConfigureFunctionsWebApplication();
            builder.Services.AddOpenTelemetry().UseFunctionsWorkerDefaults().WithTracing(tracing => tracing.AddProcessor(new Collector(spans)));
        });
        var span = await SpanOfAsync(host, "/api/named", NewTrace(), spans);
        Assert.Equal("function Named", span.DisplayName);
        Assert.Equal(ActivityKind.Internal, span.Kind);
        Assert.Equal("b7ad6b7169203331", span.ParentSpanId.ToString());
        Assert.Equal("Named", span.GetTagItem("faas.name"));
        Assert.NotNull(span.GetTagItem("faas.invocation_id"));
        Assert.Null(span.GetTagItem("faas.instance"));
        Assert.Equal(ActivityStatusCode.Unset, span.Status);
    }

    [Fact]
    public async Task Span_OfAFailure_CarriesTheException()
    {
        var spans = new ConcurrentQueue<Activity>();
        await using var host = await ProbeHost.StartAsync<HttpProbe>(configure: builder =>
        {
            builder.ConfigureFunctionsWebApplication();
            builder.Services.AddOpenTelemetry().UseFunctionsWorkerDefaults().WithTracing(tracing => tracing.AddProcessor(new Collector(spans)));
        });
        var span = await SpanOfAsync(host, "/api/throws", NewTrace(), spans);
        Assert.Equal(ActivityStatusCode.Error, span.Status);
        Assert.Contains(span.Events, e => e.Name == "exception");
    }

    [Fact]
    public async Task Span_WithoutTheWorkerDefaults_IsTheOlderInvoke()
    {
        var spans = new ConcurrentQueue<Activity>();
        await using var host = await ProbeHost.StartAsync<HttpProbe>(configure: builder =>
        {
            builder.ConfigureFunctionsWebApplication();
            builder.Services.AddOpenTelemetry().WithTracing(tracing => tracing
                .AddSource("Microsoft.Azure.Functions.Worker").AddProcessor(new Collector(spans)));
        });
        var span = await SpanOfAsync(host, "/api/named", NewTrace(), spans);
        Assert.Equal("Invoke", span.DisplayName);
        Assert.Equal(ActivityKind.Server, span.Kind);
        Assert.NotNull(span.GetTagItem("faas.execution"));
    }

    [Fact]
    public async Task LogScope_CarriesInvocationAndFunction()
    {
        using var logs = new ScopeLogs();
        await using var host = await ProbeHost.StartAsync<HttpProbe>(configure: builder =>
        {
            builder.ConfigureFunctionsWebApplication();
            builder.Logging.AddProvider(logs);
            builder.UseMiddleware(async (context, next) =>
            {
                context.GetLogger("probe").LogInformation("seen");
                await next();
            });
        });
        await host.Client.GetStringAsync("/api/named");
        Assert.Contains(logs.Scopes, scope => scope.Key == "AzureFunctions_FunctionName" && Equals(scope.Value, "Named"));
        Assert.Contains(logs.Scopes, scope => scope.Key == "AzureFunctions_InvocationId");
    }

    private sealed class Collector(ConcurrentQueue<Activity> spans) : BaseProcessor<Activity>
    {
        public override void OnEnd(Activity data) => spans.Enqueue(data);
    }

    private sealed class ScopeLogs : ILoggerProvider, ISupportExternalScope, ILogger
    {
        private IExternalScopeProvider _scopes = new LoggerExternalScopeProvider();

        public ConcurrentBag<KeyValuePair<string, object?>> Scopes { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public void SetScopeProvider(IExternalScopeProvider scopeProvider) => _scopes = scopeProvider;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => _scopes.Push(state);

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            _scopes.ForEachScope(
                (scope, all) =>
                {
                    if (scope is IEnumerable<KeyValuePair<string, object?>> pairs)
                    {
                        foreach (var pair in pairs)
                            all.Add(pair);
                    }
                },
                Scopes);

        public void Dispose()
        {
        }
    }
}
