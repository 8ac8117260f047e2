using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Npgsql;
using Payments.Domain.Database;

namespace Payments.Faults;

/// <summary>
/// The whole platform of one seed: two instances of the app, an acquirer, and what carries messages, each a process; a database and a storage account of its own. Everything that
/// they say to one another goes through proxies that can fail.
/// </summary>
internal sealed class World : IAsyncDisposable
{
    public const int Instances = 2;

    private readonly WorldPaths _paths;
    private readonly int _seed;
    private readonly string _transport;
    private readonly Child?[] _apps = new Child?[Instances];
    private readonly int[] _ports = FreePorts.Take(Instances);
    private readonly int _acquirerPort = FreePorts.Take(1)[0];
    private readonly int _busPort = FreePorts.Take(1)[0];
    private readonly string _folder;
    private readonly string _acquirerKey = "ak_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24));
    private readonly string _webhookSecret = "whsec_" + Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
    private readonly string _mutation;
    private Child? _acquirer;
    private Child? _bus;
    private int _turn;

    private World(WorldPaths paths, PostgresServer postgres, int seed, string transport, string? mutation)
    {
        (_paths, Postgres, _seed, _transport, _mutation) = (paths, postgres, seed, transport, mutation ?? "");
        _folder = Path.Combine(paths.Data, $"seed-{seed}");
        if (Directory.Exists(_folder))
            Directory.Delete(_folder, recursive: true);
        Directory.CreateDirectory(_folder);
        Clock = new FaultClock(_folder, Instances);
        Database = string.Create(CultureInfo.InvariantCulture, $"payments_faults_{seed}");
        PostgresCable = new ChaosProxy(() => postgres.Port);
        BlobCable = new ChaosProxy(() => paths.Azurite.Blob);
        QueueCable = new ChaosProxy(() => transport == "servicebus" ? _busPort : paths.Azurite.Queue);
        AcquirerCable = new ChaosProxy(() => _acquirerPort);
        Front = new ChaosProxy(NextInstance);
        Owner = PaymentsDataSource.Create(postgres.OwnerOf(Database) + ";Maximum Pool Size=4");
        Blobs = new Azure.Storage.Blobs.BlobServiceClient(StorageOf(paths.Azurite.Blob, paths.Azurite.Queue));
        Http = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromSeconds(2), MaxConnectionsPerServer = 64 })
        {
            BaseAddress = new Uri($"http://127.0.0.1:{Front.Port}"),
            Timeout = TimeSpan.FromSeconds(5),
        };
        Acquirer = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{_acquirerPort}"), Timeout = TimeSpan.FromSeconds(30) };
        Acquirer.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", _acquirerKey);
    }

    public PostgresServer Postgres { get; }

    public FaultClock Clock { get; }

    public string Database { get; }

    public NpgsqlDataSource Owner { get; }

    /// <summary>To whichever instance is alive, as through a load balancer.</summary>
    public HttpClient Http { get; }

    /// <summary>The acquirer itself, past the cable.</summary>
    public HttpClient Acquirer { get; }

    public Azure.Storage.Blobs.BlobServiceClient Blobs { get; }

    public string PlatformKey { get; } = "pk_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24));

    public ChaosProxy PostgresCable { get; }

    public ChaosProxy BlobCable { get; }

    /// <summary>To the queues, whichever transport carries messages.</summary>
    public ChaosProxy QueueCable { get; }

    public ChaosProxy AcquirerCable { get; }

    /// <summary>In front of the instances: what clients and the acquirer's webhooks go through.</summary>
    public ChaosProxy Front { get; }

    public string Transport => _transport;

    public static async Task<World> StartAsync(WorldPaths paths, PostgresServer postgres, int seed, string transport, string? mutation)
    {
        var world = new World(paths, postgres, seed, transport, mutation);
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

    public async Task KillAsync(int instance)
    {
        if (_apps[instance] is not { } app)
            return;
        _apps[instance] = null;
        await app.DisposeAsync();
    }

    public bool IsAlive(int instance) => _apps[instance] is { HasExited: false };

    public async Task StartInstanceAsync(int instance)
    {
        if (IsAlive(instance))
            return;
        var app = Child.Start(_paths, $"app-{_seed}-{instance}", "dotnet", [Path.Combine(_folder, "app", "Payments.Functions.dll"), "--port", $"{_ports[instance]}"], Path.Combine(_folder, "app"), new Dictionary<string, string>
        {
            ["DOTNET_STARTUP_HOOKS"] = _paths.TestHooks,
            ["PAYMENTS_CLOCK"] = Clock.FileOf(instance),
            ["PAYMENTS_MUTATION"] = _mutation,

            // Half of the seeds run every timer on both instances at once, which the platform promises not to do and the app must bear.
            ["AzureFunctionsWebHost__hostid"] = _seed / 2 % 2 == 0 ? $"host{instance}" : "host",
            ["DOTNET_gcServer"] = "0",
            ["DOTNET_TieredPGO"] = "0",
            ["DOTNET_TC_QuickJitForLoops"] = "1",
            ["DOTNET_ReadyToRun"] = "1",
        });
        _apps[instance] = app;
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        await Eventually.HoldsAsync(
            async () =>
            {
                if (app.HasExited)
                    throw new InvalidOperationException($"The app ended while it started; the end of {app.Name}.log:\n{string.Join('\n', File.ReadLines(Path.Combine(_paths.Logs, app.Name + ".log")).TakeLast(20))}");
                using var answer = await http.GetAsync(new Uri($"http://127.0.0.1:{_ports[instance]}/health/live"));
                return answer.IsSuccessStatusCode;
            },
            TimeSpan.FromMinutes(2), "the app answers");
    }

    /// <inheritdoc cref="PostgresServer.RestartAsync"/>
    public async Task RestartPostgresAsync(bool immediate, TimeSpan down)
    {
        await Postgres.RestartAsync(immediate, down);

        // The oracle's own connections went with it.
        Owner.Clear();
    }

    /// <summary>Kills the broker and starts it again with what it had acknowledged. Storage queues go away by their cable.</summary>
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

    /// <summary>Moves the clock on. It must not be called twice at once.</summary>
    public async Task AdvanceAsync(TimeSpan by)
    {
        Clock.Advance(by);
        await Eventually.HoldsAsync(
            async () => await ControlAsync(HttpMethod.Post, "/control/clock", new { offset_seconds = Clock.Offset.TotalSeconds }) is not null, TimeSpan.FromMinutes(1), "the acquirer's clock is set");
    }

    /// <summary>Calls the acquirer's control API; null when it refused.</summary>
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
        foreach (var child in (Child?[])[.. _apps, _acquirer, _bus])
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

    /// <summary>Forgets the run: its database and files. A run that found something keeps them.</summary>
    public async Task DropAsync()
    {
        await Postgres.DropAsync(Database);
        Directory.Delete(_folder, recursive: true);
        foreach (var instance in Enumerable.Range(0, Instances))
            File.Delete(Path.Combine(_paths.Logs, $"app-{_seed}-{instance}.log"));
        File.Delete(Path.Combine(_paths.Logs, $"acquirer-{_seed}.log"));
    }

    private async Task StartAsync()
    {
        var database = Task.Run(async () =>
        {
            await Postgres.DropAsync(Database);
            await Postgres.CreateAsync(Database);
        });
        Copy(_paths.Functions, Path.Combine(_folder, "app"));
        File.Copy(Path.Combine(_paths.Root, "host.json"), Path.Combine(_folder, "app", "host.json"), overwrite: true);
        await File.WriteAllTextAsync(Path.Combine(_folder, "app", "local.settings.json"), Settings());
        if (_transport == "servicebus")
            StartBus();
        await Task.WhenAll(database, StartAcquirerAsync());
        await Task.WhenAll(Enumerable.Range(0, Instances).Select(StartInstanceAsync));
    }

    private void StartBus()
    {
        // What a killed instance had locked comes free soon.
        var queues = JsonNode.Parse(File.ReadAllText(Path.Combine(_paths.Root, "local", "servicebus", "queues.json")))!;
        foreach (var (_, queue) in queues["queues"]!.AsObject())
            queue!["lockDuration"] = "00:00:05";
        var file = Path.Combine(_folder, "queues.json");
        File.WriteAllText(file, queues.ToJsonString());
        _bus = Child.Start(_paths, "servicebus", "dotnet", [Path.Combine(_paths.ServiceBus, "Payments.ServiceBusDouble.dll"), "--port", $"{_busPort}", "--queues", file, "--data", Path.Combine(_folder, "servicebus.log")]);
    }

    private async Task StartAcquirerAsync()
    {
        _acquirer = Child.Start(_paths, $"acquirer-{_seed}", "dotnet", [Path.Combine(_paths.Acquirer, "Payments.Acquirer.dll")], _paths.Acquirer, new Dictionary<string, string>
        {
            ["Acquirer__Port"] = $"{_acquirerPort}",
            ["Acquirer__ApiKey"] = _acquirerKey,
            ["Acquirer__DataDirectory"] = Path.Combine(_folder, "acquirer"),
            ["Acquirer__WebhookUrl"] = $"http://127.0.0.1:{Front.Port}/webhooks/sandbox",
            ["Acquirer__WebhookSecret"] = _webhookSecret,
            ["Acquirer__WebhookTimeoutSeconds"] = "3",
            ["Acquirer__Seed"] = $"{_seed}",
            ["Acquirer__StepMilliseconds"] = "100",
            ["Acquirer__HoldSeconds"] = "5",
            ["Acquirer__FlushToDisk"] = "false",
        });
        await Eventually.HoldsAsync(
            async () =>
            {
                using var answer = await Acquirer.GetAsync(new Uri("/health", UriKind.Relative));
                return answer.IsSuccessStatusCode;
            },
            TimeSpan.FromMinutes(1), "the acquirer answers");
    }

    private string Settings()
    {
        var settings = JsonNode.Parse(File.ReadAllText(Path.Combine(_paths.Root, "local.settings.sample.json")))!;
        var values = settings["Values"]!.AsObject();
        if (_transport == "servicebus")
        {
            foreach (var name in values.Select(value => value.Key).Where(name => name.EndsWith("FromServiceBus.Disabled", StringComparison.Ordinal)).ToArray())
            {
                values.Remove(name);
                var storage = name.Replace("FromServiceBus", "FromStorage", StringComparison.Ordinal);
                values[storage.Replace("DeadFromStorage", "PoisonFromStorage", StringComparison.Ordinal)] = "true";
            }

            values["ServiceBus"] = $"Endpoint=sb://localhost:{QueueCable.Port};SharedAccessKeyName=local;SharedAccessKey=local;UseDevelopmentEmulator=true;";
        }

        values["Messaging__Transport"] = _transport;
        values["AzureWebJobsStorage"] = StorageOf(BlobCable.Port, _transport == "servicebus" ? _paths.Azurite.Queue : QueueCable.Port);
        values["ConnectionStrings__Postgres"] = Postgres.AppOf(Database, PostgresCable.Port);
        values["Platform__ApiKeyHashes"] = "faults:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(PlatformKey)));
        values["Providers__Sandbox__BaseAddress"] = $"http://127.0.0.1:{AcquirerCable.Port}";
        values["Providers__Sandbox__ApiKey"] = _acquirerKey;
        values["Providers__Sandbox__Http__Timeout"] = "00:00:01.500";
        values["Providers__Sandbox__Http__CircuitBreak"] = "00:00:01";
        values["Webhooks__Inbound__sandbox__Secret"] = _webhookSecret;
        values["Secrets__Keys__local"] = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(Database)));
        values["Logging__Console__Enabled"] = "true";

        // Time passes fast: what is looked for now and then is looked for all the time.
        foreach (var schedule in (string[])["Charges__ResolveSchedule", "Charges__ExpireSchedule", "Disputes__MatchSchedule", "Disputes__DeadlineSchedule", "Disputes__ScanSchedule", "Messaging__RelaySchedule", "Ledger__SealSchedule", "Payouts__ReleaseSchedule", "Payouts__Schedule"])
            values[schedule] = "*/20 * * * * *";
        values["SelfHost__TimerPolling"] = "00:00:00.500";

        // What a killed process had taken comes free soon.
        values["SelfHost__QueueLease"] = "00:00:03";
        values["Webhooks__Lease"] = "00:00:06";
        values["Webhooks__Timeout"] = "00:00:02";
        values["Payouts__BankTimeout"] = "00:00:01.500";
        values["Payouts__CoolingPeriod"] = "00:00:00";
        values["Payouts__Rails__EUR"] = "file";
        return settings.ToJsonString();
    }

    private string StorageOf(int blobPort, int queuePort)
    {
        var account = WorldPaths.Account(_seed);
        return $"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={WorldPaths.StorageKey};BlobEndpoint=http://127.0.0.1:{blobPort}/{account};QueueEndpoint=http://127.0.0.1:{queuePort}/{account};";
    }

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

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in Directory.EnumerateFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        foreach (var folder in Directory.EnumerateDirectories(from))
            Copy(folder, Path.Combine(to, Path.GetFileName(folder)));
    }
}
