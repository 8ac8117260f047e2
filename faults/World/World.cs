using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Npgsql;
using Payments.Domain.Database;
using Payments.Kit;
using Payments.TestHooks.Bugs;

namespace Payments.Faults;

/// <summary>
/// The whole platform of one seed: two instances of the app, each a Functions host with its worker, an acquirer, and the transport of
/// messages. It has its own database and storage account. All traffic between the parts goes through proxies that can fail.
/// </summary>
internal sealed class World : IAsyncDisposable
{
    public const int Instances = 2;

    private readonly FaultServers _servers;
    private readonly int _seed;
    private readonly string _transport;
    private readonly ChildProcess?[] _apps = new ChildProcess?[Instances];

    // Only one fault at a time kills or starts an instance.
    private readonly SemaphoreSlim[] _gates = [.. Enumerable.Range(0, Instances).Select(_ => new SemaphoreSlim(1))];
    private readonly int[] _ports = FreePorts.Take(Instances);
    private readonly int _acquirerPort = FreePorts.Take();
    private readonly int _busPort = FreePorts.Take();
    private readonly string _folder;
    private readonly Secrets _secrets = Secrets.Create();
    private readonly string _mutation;
    private ChildProcess? _acquirer;
    private ChildProcess? _bus;
    private int _turn;

    private World(FaultServers servers, int seed, string transport, string? mutation)
    {
        (_servers, _seed, _transport, _mutation) = (servers, seed, transport, mutation ?? "");
        _folder = Path.Combine(servers.Data, $"seed-{seed}");
        if (Directory.Exists(_folder))
            Directory.Delete(_folder, recursive: true);
        Directory.CreateDirectory(_folder);
        Clock = new FaultClock(_folder, Instances);
        Database = string.Create(CultureInfo.InvariantCulture, $"payments_faults_{seed}");
        PostgresCable = new ChaosProxy(() => Postgres.Port);
        BlobCable = new ChaosProxy(() => servers.Storage.Blob);
        QueueCable = new ChaosProxy(() => transport == "servicebus" ? _busPort : servers.Storage.Queue);
        AcquirerCable = new ChaosProxy(() => _acquirerPort);
        Front = new ChaosProxy(NextInstance);
        Owner = PaymentsDataSource.Create(Postgres.OwnerOf(Database) + ";Maximum Pool Size=4");
        Blobs = new Azure.Storage.Blobs.BlobServiceClient(StorageOf(servers.Storage.Blob, servers.Storage.Queue));
        Http = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromSeconds(2), MaxConnectionsPerServer = 64 })
        {
            BaseAddress = new Uri($"http://127.0.0.1:{Front.Port}"),
            Timeout = TimeSpan.FromSeconds(5),
        };
        Acquirer = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{_acquirerPort}"), Timeout = TimeSpan.FromSeconds(30) };
        Acquirer.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", _secrets.AcquirerKey);
    }

    public PostgresServer Postgres => _servers.Postgres;

    public FaultClock Clock { get; }

    public string Database { get; }

    public NpgsqlDataSource Owner { get; }

    /// <summary>Goes to any instance that is alive, as through a load balancer.</summary>
    public HttpClient Http { get; }

    /// <summary>Goes to the acquirer directly, not through its proxy.</summary>
    public HttpClient Acquirer { get; }

    public Azure.Storage.Blobs.BlobServiceClient Blobs { get; }

    public string PlatformKey => _secrets.PlatformKey;

    public ChaosProxy PostgresCable { get; }

    public ChaosProxy BlobCable { get; }

    /// <summary>The proxy of the queues, for either transport.</summary>
    public ChaosProxy QueueCable { get; }

    public ChaosProxy AcquirerCable { get; }

    /// <summary>The proxy in front of the instances, for clients and for the acquirer's webhooks.</summary>
    public ChaosProxy Front { get; }

    public string Transport => _transport;

    public static async Task<World> StartAsync(FaultServers servers, int seed, string transport, string? mutation)
    {
        var world = new World(servers, seed, transport, mutation);
        try
        {
            await world.StartAsync();
            return world;
        }
        catch
        {
            await world.DisposeAsync();
            throw;
        }
    }

    public bool IsAlive(int instance) => _apps[instance] is { HasExited: false };

    /// <summary>Kills processes of an instance, as <c>kill -9</c> does, and starts the instance again after a time.</summary>
    public async Task CrashAsync(int instance, InstanceProcesses processes, TimeSpan down)
    {
        await _gates[instance].WaitAsync();
        try
        {
            if (_apps[instance] is { } app)
            {
                if (processes is InstanceProcesses.Worker)
                    await KillWorkerAsync(instance);
                else
                    await app.KillAsync(withChildren: processes is InstanceProcesses.All);
            }

            await Task.Delay(down);
            await StartAsync(instance);
        }
        finally
        {
            _gates[instance].Release();
        }
    }

    /// <summary>Starts an instance unless it runs.</summary>
    public async Task StartInstanceAsync(int instance)
    {
        await _gates[instance].WaitAsync();
        try
        {
            await StartAsync(instance);
        }
        finally
        {
            _gates[instance].Release();
        }
    }

    /// <inheritdoc cref="PostgresServer.RestartAsync"/>
    public async Task RestartPostgresAsync(bool immediate, TimeSpan down)
    {
        await Postgres.RestartAsync(immediate, down);

        // The oracle's own connections broke with the server.
        Owner.Clear();
    }

    /// <summary>
    /// Kills the broker and starts it again with the messages that it had acknowledged. For storage queues it closes their proxy instead.
    /// </summary>
    public async Task RestartBusAsync(TimeSpan down)
    {
        if (_bus is null)
        {
            QueueCable.Refuses = true;
            QueueCable.Cut();
            await Task.Delay(down);
            QueueCable.Refuses = false;
            return;
        }

        await _bus.DisposeAsync();
        await Task.Delay(down);
        StartBus();
    }

    /// <summary>Kills the acquirer and starts it again from its journal.</summary>
    public async Task RestartAcquirerAsync()
    {
        if (_acquirer is not null)
            await _acquirer.DisposeAsync();
        await StartAcquirerAsync();
    }

    /// <summary>Moves the clock on. Do not call it concurrently.</summary>
    public async Task AdvanceAsync(TimeSpan by)
    {
        Clock.Advance(by);
        await Eventually.HoldsAsync(
            async () => await ControlAsync(HttpMethod.Post, "/control/clock", new { offset_seconds = Clock.Offset.TotalSeconds }) is not null, TimeSpan.FromMinutes(1), "the acquirer's clock is set");
    }

    /// <summary>Calls the acquirer's control API. Null if the acquirer refused.</summary>
    public async Task<JsonNode?> ControlAsync(HttpMethod method, string path, object? body = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
            request.Content = new StringContent(JsonSerializer.Serialize(body), Encoding.UTF8, "application/json");
        using var response = await Acquirer.SendAsync(request);
        return response.IsSuccessStatusCode ? JsonNode.Parse(await response.Content.ReadAsStringAsync()) : null;
    }

    public void HealCables()
    {
        foreach (var cable in (ChaosProxy[])[PostgresCable, BlobCable, QueueCable, AcquirerCable, Front])
            cable.Heal();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var child in (ChildProcess?[])[.. _apps, _acquirer, _bus])
        {
            if (child is not null)
                await child.DisposeAsync();
        }

        foreach (var cable in (ChaosProxy[])[PostgresCable, BlobCable, QueueCable, AcquirerCable, Front])
            await cable.DisposeAsync();
        Http.Dispose();
        Acquirer.Dispose();
        Clock.Dispose();
        await Owner.DisposeAsync();
    }

    /// <summary>Deletes the run's database and files. Not called for a run with a finding.</summary>
    public async Task DropAsync()
    {
        await Postgres.DropAsync(Database);
        Directory.Delete(_folder, recursive: true);
        foreach (var instance in Enumerable.Range(0, Instances))
            File.Delete(Path.Combine(_servers.Logs, $"app-{_seed}-{instance}.log"));
        File.Delete(Path.Combine(_servers.Logs, $"acquirer-{_seed}.log"));
    }

    private async Task StartAsync()
    {
        var database = Task.Run(async () =>
        {
            await Postgres.DropAsync(Database);
            await Postgres.CreateAsync(Database);
        });
        Programs.CopyApp(Path.Combine(_folder, "app"), Settings());
        if (_transport == "servicebus")
            StartBus();
        await Task.WhenAll(database, StartAcquirerAsync());
        await Task.WhenAll(Enumerable.Range(0, Instances).Select(StartInstanceAsync));
    }

    private async Task StartAsync(int instance)
    {
        if (IsAlive(instance))
            return;
        if (_apps[instance] is { } ended)
            await ended.DisposeAsync();
        var folder = Path.Combine(_folder, "app");
        var app = _servers.Start($"app-{_seed}-{instance}", Programs.Host(folder, _ports[instance]).With(
        [
            new("DOTNET_STARTUP_HOOKS", typeof(Mutations).Assembly.Location),
            new("PAYMENTS_CLOCK", Clock.FileOf(instance)),
            new(Mutations.Variable, _mutation),

            // Half of the seeds run every timer on both instances at once. The Functions platform promises to prevent that, but the app
            // must tolerate it.
            new("AzureFunctionsWebHost__hostid", _seed / 2 % 2 == 0 ? $"host{instance}" : "host"),
        ]));
        _apps[instance] = app;
        await Eventually.AnswersAsync(app, new Uri($"http://127.0.0.1:{_ports[instance]}/health/live"), TimeSpan.FromMinutes(2));
    }

    // The host starts another worker by itself.
    private async Task KillWorkerAsync(int instance)
    {
        try
        {
            using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
            var status = JsonNode.Parse(await http.GetStringAsync(new Uri($"http://127.0.0.1:{_ports[instance]}/admin/host/status")))!;
            if (status["workerProcessId"]?.GetValue<int>() is not { } pid)
                return;
            using var worker = Process.GetProcessById(pid);
            worker.Kill();
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or ArgumentException or InvalidOperationException)
        {
            // The instance has no worker at this moment.
        }
    }

    private void StartBus()
    {
        // A short lock, so that the messages of a killed instance soon become free.
        var queues = JsonNode.Parse(File.ReadAllText(Path.Combine(Repository.Root, "local", "servicebus", "queues.json")))!;
        foreach (var (_, queue) in queues["queues"]!.AsObject())
            queue!["lockDuration"] = "00:00:05";
        var file = Path.Combine(_folder, "queues.json");
        File.WriteAllText(file, queues.ToJsonString());
        _bus = _servers.Start("servicebus", Programs.ServiceBus(_busPort, Path.Combine(_folder, "servicebus.log"), file));
    }

    private async Task StartAcquirerAsync()
    {
        var command = Programs.Acquirer(_acquirerPort, _secrets, Path.Combine(_folder, "acquirer"), new Uri($"http://127.0.0.1:{Front.Port}/webhooks/sandbox"));
        _acquirer = _servers.Start($"acquirer-{_seed}", command.With(
        [
            new("Acquirer__WebhookTimeoutSeconds", "3"),
            new("Acquirer__Seed", $"{_seed}"),
            new("Acquirer__StepMilliseconds", "100"),
            new("Acquirer__HoldSeconds", "5"),
            new("Acquirer__FlushToDisk", "false"),
        ]));
        await Eventually.AnswersAsync(_acquirer, new Uri($"http://127.0.0.1:{_acquirerPort}/health"), TimeSpan.FromMinutes(1));
    }

    private string Settings()
    {
        var surroundings = new AppSurroundings(
            StorageOf(BlobCable.Port, _transport == Transports.ServiceBus ? _servers.Storage.Queue : QueueCable.Port), Postgres.AppOf(Database, PostgresCable.Port),
            new Uri($"http://127.0.0.1:{AcquirerCable.Port}"), _secrets)
        {
            Transport = _transport,
            ServiceBus = _transport == Transports.ServiceBus ? Programs.ServiceBusConnectionString(QueueCable.Port) : "",
            PlatformKeyName = "faults",
        };
        string[] schedules =
        [
            "Charges__ResolveSchedule", "Charges__ExpireSchedule", "Disputes__MatchSchedule", "Disputes__DeadlineSchedule", "Disputes__ScanSchedule", "Messaging__RelaySchedule",
            "Ledger__SealSchedule", "Payouts__ReleaseSchedule", "Payouts__Schedule",
        ];
        return AppSettings.Compose(surroundings,
        [
            // Time passes fast, so these timers run all the time.
            .. schedules.Select(schedule => new KeyValuePair<string, string>(schedule, "*/20 * * * * *")),
            new("FunctionsHost__TimerPolling", "00:00:00.500"),

            // Short leases, so that the work of a killed process soon becomes free.
            new("FunctionsHost__QueueLease", "00:00:03"),
            new("FunctionsHost__WorkerRestarts", "1000"),
            new("Webhooks__Lease", "00:00:06"),
            new("Webhooks__Timeout", "00:00:02"),
            new("Payouts__BankTimeout", "00:00:01.500"),
            new("Payouts__CoolingPeriod", "00:00:00"),
            new("Payouts__Rails__EUR", "file"),
            new("Providers__Sandbox__Http__Timeout", "00:00:01.500"),
            new("Providers__Sandbox__Http__CircuitBreak", "00:00:01"),
        ]);
    }

    private string StorageOf(int blobPort, int queuePort) =>
        Azurite.ConnectionStringOf(_servers.Storage with { Blob = blobPort, Queue = queuePort }, FaultServers.AccountOf(_seed));

    private int? NextInstance()
    {
        var first = (int)((uint)Interlocked.Increment(ref _turn) % Instances);
        foreach (var instance in (int[])[first, (first + 1) % Instances])
        {
            if (IsAlive(instance))
                return _ports[instance];
        }

        return null;
    }
}

/// <summary>The processes of an instance that a fault kills.</summary>
internal enum InstanceProcesses
{
    /// <summary>The worker, which runs the app. The host starts another one.</summary>
    Worker,

    /// <summary>The Functions host. The worker ends when it notices.</summary>
    Host,

    /// <summary>Both at once.</summary>
    All,
}
