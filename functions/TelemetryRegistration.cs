using Microsoft.Azure.Functions.Worker.OpenTelemetry;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;

namespace Payments.Functions;

/// <summary>Traces and metrics, sent by OTLP where a collector is named in <c>OTEL_EXPORTER_OTLP_ENDPOINT</c>.</summary>
internal static class TelemetryRegistration
{
    public static IServiceCollection AddTelemetry(this IServiceCollection services, IConfiguration configuration)
    {
        var telemetry = services.AddOpenTelemetry();
        telemetry.UseFunctionsWorkerDefaults();
        telemetry.WithTracing(traces => traces.AddSource("Payments.*").AddSource("Npgsql").AddSource("System.Net.Http"));
        telemetry.WithMetrics(metrics => metrics.AddMeter("Payments.*").AddMeter("Npgsql"));
        if (!string.IsNullOrEmpty(configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
            telemetry.UseOtlpExporter();
        return services;
    }
}
