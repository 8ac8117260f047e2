using Azure.Identity;
using Azure.Monitor.OpenTelemetry.Exporter;
using Microsoft.Azure.Functions.Worker.OpenTelemetry;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Logs;

namespace Payments.Functions;

/// <summary>
/// Traces, metrics and logs: to Application Insights by the app's identity where <c>APPLICATIONINSIGHTS_CONNECTION_STRING</c> names it, and by OTLP where
/// <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> names a collector. Both may be set.
/// </summary>
internal static class TelemetryRegistration
{
    public static IServiceCollection AddTelemetry(this IServiceCollection services, IConfiguration configuration)
    {
        var collector = configuration["OTEL_EXPORTER_OTLP_ENDPOINT"];
        var insights = configuration["APPLICATIONINSIGHTS_CONNECTION_STRING"];

        // Without anybody to tell, nothing is noted.
        if (string.IsNullOrEmpty(collector) && string.IsNullOrEmpty(insights))
            return services;
        var telemetry = services.AddOpenTelemetry();
        telemetry.UseFunctionsWorkerDefaults();
        telemetry.WithTracing(traces => traces.AddSource("Payments.*").AddSource("Npgsql").AddSource("System.Net.Http"));
        telemetry.WithMetrics(metrics => metrics.AddMeter("Payments.*").AddMeter("Npgsql"));
        services.Configure<OpenTelemetryLoggerOptions>(logs =>
        {
            // The request's id stands in a scope; the text of a message is made of its template and values, which is what is searched by.
            logs.IncludeScopes = true;
            logs.IncludeFormattedMessage = true;
        });
        if (!string.IsNullOrEmpty(collector))
            telemetry.UseOtlpExporter();
        if (!string.IsNullOrEmpty(insights))
        {
            telemetry.UseAzureMonitorExporter(options =>
            {
                options.ConnectionString = insights;
                options.Credential = new DefaultAzureCredential();

                // A payment that is looked for must be there: nothing is sampled away.
                options.SamplingRatio = 1F;
                options.TracesPerSecond = null;
            });
        }

        return services;
    }
}
