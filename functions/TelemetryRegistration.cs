using Azure.Identity;
using Azure.Monitor.OpenTelemetry.Exporter;
using Microsoft.Azure.Functions.Worker.OpenTelemetry;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Logs;

namespace Payments.Functions;

/// <summary>
/// Exports traces, metrics and logs. <c>APPLICATIONINSIGHTS_CONNECTION_STRING</c> exports to Application Insights with the app's identity.
/// <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> exports to a collector by OTLP. Both may be set.
/// </summary>
internal static class TelemetryRegistration
{
    public static IServiceCollection AddTelemetry(this IServiceCollection services, IConfiguration configuration)
    {
        var collector = configuration["OTEL_EXPORTER_OTLP_ENDPOINT"];
        var insights = configuration["APPLICATIONINSIGHTS_CONNECTION_STRING"];

        // Without a destination, nothing is collected.
        if (string.IsNullOrEmpty(collector) && string.IsNullOrEmpty(insights))
            return services;
        var telemetry = services.AddOpenTelemetry();
        telemetry.UseFunctionsWorkerDefaults();
        telemetry.WithTracing(traces => traces.AddSource("Payments.*").AddSource("Npgsql").AddSource("System.Net.Http"));
        telemetry.WithMetrics(metrics => metrics.AddMeter("Payments.*").AddMeter("Npgsql"));
        services.Configure<OpenTelemetryLoggerOptions>(logs =>
        {
            // The request's id is in a scope. Operators search by the formatted text of a message.
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

                // Operators must find every payment, so nothing is sampled.
                options.SamplingRatio = 1F;
                options.TracesPerSecond = null;
            });
        }

        return services;
    }
}
