using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Functions.Health;

namespace Payments.Functions.Http;

/// <summary>Health probes: whether the process is alive, and whether it can serve requests.</summary>
public sealed class HealthFunctions(Readiness readiness)
{
    [Function("HealthLive")]
#pragma warning disable CA1822 // A function is a method of an instance.
    public IResult Live([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "health/live")] HttpRequest request) =>
        Api.Json(new HealthReport("live", new Dictionary<string, string>()), HealthJson.Default.HealthReport);
#pragma warning restore CA1822

    [Function("HealthReady")]
    public async Task<IResult> ReadyAsync([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "health/ready")] HttpRequest request, CancellationToken ct)
    {
        var report = await readiness.CheckAsync(ct);
        return Api.Json(
            report, HealthJson.Default.HealthReport, report.Status == "ready" ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
    }
}
