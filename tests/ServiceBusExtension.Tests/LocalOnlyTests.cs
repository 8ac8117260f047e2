using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Payments.ServiceBusExtension.Tests;

public sealed class LocalOnlyTests
{
    [Fact]
    public async Task Start_OnAzure_Throws()
    {
        await using var app = SettlementHost.Worker(new() { ["WEBSITE_SITE_NAME"] = "func-payments-prod" });

        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync(app));

        Assert.Contains("-p:ServiceBusExtension=package", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_Elsewhere_Succeeds()
    {
        await using var app = SettlementHost.Worker([]);

        await StartAsync(app);
    }

    private static async Task StartAsync(ServiceProvider app)
    {
        foreach (var service in app.GetServices<IHostedService>())
        {
            await service.StartAsync(TestContext.Current.CancellationToken);
        }
    }
}
