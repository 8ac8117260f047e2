using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Payments.AppHost;

try
{
    var options = RunOptions.Parse(args);
    var kit = new Interim();
    kit.Prepare(options);
    var builder = DistributedApplication.CreateBuilder(new DistributedApplicationOptions
    {
        AllowUnsecuredTransport = true,
        Args =
        [
            $"ASPNETCORE_URLS=http://127.0.0.1:{options.Ports.Dashboard}",
            $"ASPIRE_DASHBOARD_OTLP_HTTP_ENDPOINT_URL=http://127.0.0.1:{options.Ports.Telemetry}",
            "ASPIRE_VERSION_CHECK_DISABLED=true",
            "ASPIRE_DASHBOARD_TELEMETRY_OPTOUT=true",
            "DcpPublisher:WaitForResourceCleanup=true",
        ],
    });
    var stack = new Stack(builder, options, kit);
    stack.Add();
    var app = builder.Build();
    await app.StartAsync();
    var notifications = app.Services.GetRequiredService<ResourceNotificationService>();
    _ = Task.Run(async () =>
    {
        await foreach (var e in notifications.WatchAsync())
            Console.WriteLine($"{e.ResourceId} {e.Snapshot.State?.Text} {e.Snapshot.HealthStatus} {e.Snapshot.ExitCode}");
    });
    await ((IHost)app).WaitForShutdownAsync();
    return 0;
}
catch (RunException problem)
{
    await Console.Error.WriteLineAsync($"run: {problem.Message}");
    return 1;
}
