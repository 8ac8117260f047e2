using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;
using Payments.Kit;

namespace Payments.AppHost;

/// <summary>
/// The resources of a run. Each is a process of its own with fixed ports: Aspire's proxies are off, and addresses are the same at each start.
/// </summary>
internal sealed class Stack(IDistributedApplicationBuilder builder, RunOptions options, Instance instance, string demoMerchant)
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(10) };

    private readonly List<Part> _parts = [];
    private readonly Ports _ports = options.Ports;

    /// <summary>In the order of their start.</summary>
    public IReadOnlyList<Part> Parts => _parts;

    /// <summary>Adds everything to Aspire's model.</summary>
    public void Add()
    {
        var postgres = instance.Postgres is { } own ? AddPostgres(own) : null;
        var migration = instance.Migrates ? AddMigration() : null;
        if (postgres is not null)
            migration?.WaitFor(postgres);

        var servers = new List<IResourceBuilder<ExecutableResource>> { AddAzurite() };
        if (options.Transport == Transports.ServiceBus)
            servers.Add(AddServiceBus());
        servers.Add(AddAcquirer());
        var apps = _ports.Apps.Select(AddApp).ToArray();
        foreach (var app in apps)
        {
            servers.ForEach(server => app.WaitFor(server));
            if (migration is not null)
                app.WaitForCompletion(migration);
        }

        var merchant = AddMerchant();
        foreach (var app in apps)
            merchant.WaitFor(app);
    }

    private IResourceBuilder<ExecutableResource> AddPostgres(EmbeddedPostgres postgres) => Server(
        new(Executable("postgres", postgres.Command), "Postgres", $"Starting Postgres on port {_ports.Postgres}")
        {
            // The fast shutdown. SIGTERM would wait for sessions that the user has open.
            StopSignal = "INT",
        },
        _ports.Postgres,
        "tcp",
        token => TakesConnectionsAsync(postgres.Admin, token));

    private IResourceBuilder<ExecutableResource> AddMigration() => Step(
        new(Executable("migrate", Programs.Migrate(instance.Logins)), "The migration", "Migrating the database")
        {
            Failure = "the database could not be migrated",
        });

    private IResourceBuilder<ExecutableResource> AddAzurite() => Server(
        new(
            Executable("azurite", Azurite.CommandOf(_ports.Azurite, Path.Combine(instance.Data, "azurite"))),
            "Azurite",
            $"Starting Azurite on ports {_ports.Blobs}, {_ports.Queues} and {_ports.Tables}"),
        _ports.Blobs,
        "http",
        async token => await ListensAsync(_ports.Blobs, token) && await ListensAsync(_ports.Queues, token));

    private IResourceBuilder<ExecutableResource> AddServiceBus() => Server(
        new(
            Executable("servicebus", Programs.ServiceBus(_ports.ServiceBus.Number, Path.Combine(instance.Data, "servicebus.log"))),
            "The Service Bus double",
            $"Starting the Service Bus double on port {_ports.ServiceBus}"),
        _ports.ServiceBus,
        "tcp",
        token => ListensAsync(_ports.ServiceBus, token));

    private IResourceBuilder<ExecutableResource> AddAcquirer()
    {
        var command = Programs.Acquirer(
            _ports.Acquirer.Number, instance.Secrets, Path.Combine(instance.Data, "acquirer"), new Uri(options.AppUrl + "/webhooks/sandbox"));
        return Server(
            new(Observed(Executable("acquirer", command)), "The sandbox acquirer", $"Starting the sandbox acquirer on port {_ports.Acquirer}"),
            _ports.Acquirer,
            "http",
            token => AnswersAsync(_ports.Acquirer, "/health", token));
    }

    private IResourceBuilder<ExecutableResource> AddApp(Port port, int index)
    {
        var command = options.OnCoreTools ? Programs.CoreTools(instance.App, port.Number) : Programs.Host(instance.App, port.Number);
        var (name, title) = index == 0 ? ("app", "The app") : ($"app-{index + 1}", $"Instance {index + 1} of the app");
        return Server(
            new(Observed(Executable(name, command)), title, $"Starting {port.Owner} on port {port}"),
            port,
            "http",
            token => AnswersAsync(port, "/health/ready", token));
    }

    private IResourceBuilder<ExecutableResource> AddMerchant()
    {
        var command = new Command("node", [Path.Combine(Repository.Root, "local", "merchant.mjs"), demoMerchant])
            .With([new("PAYMENTS_URL", options.AppUrl), new("PAYMENTS_PLATFORM_KEY", instance.Secrets.PlatformKey)]);
        return Step(new(Executable("merchant", command), "The demo merchant", "Making the demo merchant")
        {
            Failure = "the demo merchant could not be made",
        });
    }

    /// <summary>Sends the resource's logs, traces and metrics to the dashboard, unless the user has named a collector.</summary>
    private static IResourceBuilder<ExecutableResource> Observed(IResourceBuilder<ExecutableResource> resource) =>
        Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT") is { Length: > 0 }
            ? resource
            : resource.WithOtlpExporter(OtlpProtocol.HttpProtobuf);

    private IResourceBuilder<ExecutableResource> Server(Part part, Port port, string scheme, Func<CancellationToken, Task<bool>> ready)
    {
        builder.Services.AddHealthChecks().AddAsyncCheck(part.Name, token => UntilReadyAsync(ready, token));
        _parts.Add(part);
        return part.Builder.WithEndpoint(port.Number, port.Number, scheme, scheme, isProxied: false).WithHealthCheck(part.Name);
    }

    private IResourceBuilder<ExecutableResource> Step(Part part)
    {
        _parts.Add(part with { IsServer = false });
        return part.Builder;
    }

    private IResourceBuilder<ExecutableResource> Executable(string name, Command command)
    {
        var folder = command.Folder ?? Repository.Root;
        Directory.CreateDirectory(folder);
        var resource = builder.AddExecutable(name, command.Program, folder, [.. command.Arguments]);
        foreach (var (variable, value) in command.Environment)
            resource.WithEnvironment(variable, value);
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

    private static async Task<bool> TakesConnectionsAsync(string server, CancellationToken cancellation)
    {
        await using var connection = new NpgsqlConnection(server + ";Pooling=false;Timeout=2");
        try
        {
            await connection.OpenAsync(cancellation);
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
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
