using Azure.Core;
using OpenTelemetry;

namespace Azure.Monitor.OpenTelemetry.Exporter;

/// <summary>The options that this app sets; the official build has the package's own.</summary>
public sealed class AzureMonitorExporterOptions
{
    public string? ConnectionString { get; set; }

    public TokenCredential? Credential { get; set; }

    public float SamplingRatio { get; set; }

    public double? TracesPerSecond { get; set; }
}

public static class OpenTelemetryBuilderExtensions
{
    /// <summary>The package needs hosting assemblies that the self-host's feed lacks, and one machine has no Application Insights to send to.</summary>
    /// <exception cref="InvalidOperationException">Always.</exception>
    public static IOpenTelemetryBuilder UseAzureMonitorExporter(this IOpenTelemetryBuilder builder, Action<AzureMonitorExporterOptions> configure) =>
        throw new InvalidOperationException(
            "The self-host does not send to Application Insights: unset APPLICATIONINSIGHTS_CONNECTION_STRING, or name a collector in OTEL_EXPORTER_OTLP_ENDPOINT.");
}
