using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Trace;
using Payments.SelfHost.Telemetry;

namespace Microsoft.Azure.Functions.Worker.OpenTelemetry;

public static class ConfigureFunctionsOpenTelemetry
{
    /// <summary>Exports the worker's spans, one <c>function {Name}</c> for each run.</summary>
    public static IOpenTelemetryBuilder UseFunctionsWorkerDefaults(this IOpenTelemetryBuilder builder)
    {
        builder.Services.Configure<WorkerOptions>(options =>
        {
            options.Capabilities["WorkerOpenTelemetryEnabled"] = bool.TrueString;
            options.Capabilities["WorkerOpenTelemetrySchemaVersion"] = "1.37.0";
        });
        builder.Services.ConfigureOpenTelemetryTracerProvider(tracing => tracing.AddSource(FunctionSpans.SourceName));
        return builder;
    }
}
