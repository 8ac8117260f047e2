using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Core;
using Microsoft.Azure.ServiceBus.Grpc;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

[assembly: WorkerExtensionStartup(typeof(ServiceBusExtensionStartup))]

namespace Microsoft.Azure.Functions.Worker;

/// <summary>Gives the worker a client of the host's settlement service, which is on the endpoint that the host named at start.</summary>
public sealed class ServiceBusExtensionStartup : WorkerExtensionStartup
{
    /// <inheritdoc/>
    public override void Configure(IFunctionsWorkerApplicationBuilder applicationBuilder)
    {
        applicationBuilder.Services.AddHostedService<LocalOnly>();
        applicationBuilder.Services.AddGrpcClient<Settlement.SettlementClient>((services, options) =>
        {
            var configuration = services.GetRequiredService<IConfiguration>();
            options.Address = new(configuration["Functions:Worker:HostEndpoint"] ?? $"http://{configuration["HOST"]}:{configuration["PORT"]}");
            if ((configuration.GetValue<int?>("Functions:Worker:GrpcMaxMessageLength") ?? configuration.GetValue<int?>("grpcMaxMessageLength")) is { } length)
            {
                options.ChannelOptionsActions.Add(channel => channel.MaxReceiveMessageSize = channel.MaxSendMessageSize = length);
            }
        });
    }

    /// <summary>
    /// The last guard. Azure's host has no Service Bus listener for an app with this stand-in and would serve its other functions, so that messages would wait
    /// unseen. An exception in <see cref="Configure"/> would not stop the app: the generated code that calls it catches everything.
    /// </summary>
    private sealed class LocalOnly(IConfiguration configuration) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => configuration["WEBSITE_SITE_NAME"] is null
            ? Task.CompletedTask
            : throw new InvalidOperationException(
                "This build holds the local stand-in of the Service Bus extension. Publish it for Azure with -p:ServiceBusExtension=package.");

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
