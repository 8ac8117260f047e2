using System.Net.Sockets;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Payments.AppHost;

/// <summary>
/// The resources of a run. Each is a process of its own with fixed ports, so Aspire's proxies stay out of the way and addresses are the same at each start.
/// </summary>
internal sealed class Stack(IDistributedApplicationBuilder builder, RunOptions options, Interim kit)
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(10) };

    private readonly Ports ports = options.Ports;

    /// <summary>The resources in the order of their start. They stop in the opposite order.</summary>
    public List<IResourceBuilder<ExecutableResource>> Ordered { get; } = [];

    /// <summary>The resource whose end means that the app can be used.</summary>
    public IResource? Last => Ordered.LastOrDefault()?.Resource;

    public void Add()
    {
        var (postgresFile, postgresArguments) = kit.PostgresCommand(ports.Postgres);
        var postgres = Server("postgres", postgresFile, kit.Root, postgresArguments, ports.Postgres, "tcp", token => ListensAsync(ports.Postgres, token));
        var azurite = Server("azurite", "node", Path.Combine(kit.Data, "azurite"),
            [
                Path.Combine(kit.Root, "local/node_modules/azurite/dist/src/azurite.js"), "--silent", "--skipApiVersionCheck", "--disableTelemetry",
                "--location", Path.Combine(kit.Data, "azurite"), "--blobHost", "127.0.0.1", "--blobPort", $"{ports.Blobs}",
                "--queueHost", "127.0.0.1", "--queuePort", $"{ports.Queues}", "--tableHost", "127.0.0.1", "--tablePort", $"{ports.Tables}",
            ],
            ports.Blobs, "http", async token => await ListensAsync(ports.Blobs, token) && await ListensAsync(ports.Queues, token));
        var migrate = Executable("migrate", "dotnet", kit.Root, [Path.Combine(kit.Root, "domain.migrate/bin/Release/net10.0/Payments.Migrate.dll"), "apply", "--bootstrap"])
            .WithEnvironment("ConnectionStrings__Postgres", kit.PostgresApp)
            .WithEnvironment("ConnectionStrings__PostgresOwner", kit.PostgresOwner)
            .WithEnvironment("ConnectionStrings__PostgresAdmin", kit.PostgresAdmin)
            .WaitFor(postgres);
        var acquirer = Server("acquirer", "dotnet", kit.Data, [Path.Combine(kit.Root, "local/acquirer/bin/Release/net10.0/Payments.Acquirer.dll")],
                ports.Acquirer, "http", token => AnswersAsync(ports.Acquirer, "/health", token))
            .WithEnvironment("Acquirer__Port", ports.Acquirer.ToString())
            .WithEnvironment("Acquirer__ApiKey", kit.Secrets["acquirer_key"])
            .WithEnvironment("Acquirer__DataDirectory", Path.Combine(kit.Data, "acquirer"))
            .WithEnvironment("Acquirer__WebhookUrl", $"http://127.0.0.1:{ports.Apps[0].Number.ToString()}/webhooks/sandbox")
            .WithEnvironment("Acquirer__WebhookSecret", kit.Secrets["webhook_secret"])
            .WithOtlpExporter(OtlpProtocol.HttpProtobuf);
        foreach (var port in ports.Apps)
        {
            Server(ports.Apps.Count == 1 ? "app" : $"app-{port.Number - ports.Apps[0].Number + 1}", "dotnet", Path.Combine(kit.Data, "app"), ["Payments.Functions.dll", "--port", $"{port}"],
                    port, "http", token => AnswersAsync(port, "/health/ready", token))
                .WithOtlpExporter(OtlpProtocol.HttpProtobuf)
                .WaitFor(azurite)
                .WaitFor(acquirer)
                .WaitForCompletion(migrate);
        }
    }

    private IResourceBuilder<ExecutableResource> Server(
        string name, string file, string directory, string[] arguments, Port port, string scheme, Func<CancellationToken, Task<bool>> ready)
    {
        builder.Services.AddHealthChecks().AddAsyncCheck(name, token => UntilReadyAsync(ready, token));
        return Executable(name, file, directory, arguments)
            .WithEndpoint(port.Number, port.Number, scheme, scheme, isProxied: false)
            .WithHealthCheck(name);
    }

    private IResourceBuilder<ExecutableResource> Executable(string name, string file, string directory, string[] arguments)
    {
        Directory.CreateDirectory(directory);
        var resource = builder.AddExecutable(name, file, directory, [.. arguments]);
        Ordered.Add(resource);
        return resource;
    }

    /// <summary>Asks ten times a second while a resource starts: Aspire itself asks once a second and then less often.</summary>
    private static async Task<HealthCheckResult> UntilReadyAsync(Func<CancellationToken, Task<bool>> ready, CancellationToken cancellation)
    {
        for (var attempt = 0; attempt < 50; attempt++)
        {
            if (await ready(cancellation))
                return HealthCheckResult.Healthy();
            await Task.Delay(TimeSpan.FromMilliseconds(100), cancellation);
        }

        return HealthCheckResult.Unhealthy();
    }

    private static async Task<bool> ListensAsync(Port port, CancellationToken cancellation)
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync("127.0.0.1", port.Number, cancellation);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static async Task<bool> AnswersAsync(Port port, string path, CancellationToken cancellation)
    {
        try
        {
            using var answer = await Http.GetAsync(new Uri($"http://127.0.0.1:{port}{path}"), cancellation);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
