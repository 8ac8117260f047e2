using Microsoft.Extensions.Hosting;

namespace Payments.AppHost;

/// <summary>Leaves the signals to Program, which stops the resources in order before it stops Aspire.</summary>
internal sealed class OwnLifetime : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
