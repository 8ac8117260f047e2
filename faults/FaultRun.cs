using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using Npgsql;

namespace Payments.Faults;

/// <summary>The options of a run. Everything else follows from the seed.</summary>
/// <param name="Minutes">How long work and faults last, in wall time. Null means a short run of <paramref name="Rounds"/> rounds.</param>
/// <param name="Mutation">The deliberate bug of <c>Mutations</c> that the app has. Null means none.</param>
/// <param name="Rounds">The rounds of a short run. Every second one ends with a night.</param>
internal sealed record FaultRunOptions(int Seed, string Transport, double? Minutes = null, string? Mutation = null, int Rounds = FaultRunOptions.DefaultRounds)
{
    /// <summary>How long everything may take to come to rest after the last fault, in wall time.</summary>
    public TimeSpan Liveness { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Enough rounds for nearly every kind of fault.</summary>
    public const int DefaultRounds = 4;

    /// <summary>Half of the seeds run on each transport.</summary>
    public static string TransportOf(int seed) => seed % 2 == 0 ? "servicebus" : "storage";
}

/// <summary>The violations that a run found, and what it counted.</summary>
internal sealed record FaultRunResult(FaultRunOptions Options, IReadOnlyList<Violation> Violations, IReadOnlyDictionary<string, long> Counts, Coverage Coverage, TimeSpan Took, TimeSpan Simulated);

/// <summary>
/// Runs one seed: rounds of work with faults. Between the rounds the clock moves on, through nights and weekends.
/// Then the faults end, and everything must come to rest and add up.
/// </summary>
internal sealed class FaultRun
{
    private const int Merchants = 3;
    private const int Workers = 8;
    private const int FaultsOfARound = 5;

    // How far the clock moves while a run waits for rest: past every back-off of the platform.
    private static readonly TimeSpan[] Rests = [TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(11), TimeSpan.FromMinutes(11), TimeSpan.FromHours(1.1), TimeSpan.FromHours(6.1), TimeSpan.FromHours(13)];

    // During faults a client soon gives up on an answer, because it has other requests to make.
    private static readonly TimeSpan PatienceOfClients = TimeSpan.FromSeconds(4);

    // How long workers begin new work in a round. Work that has begun is finished, however long it takes.
    private static readonly TimeSpan WorkOfARound = TimeSpan.FromSeconds(3.5);

    // During work the clock runs 20 times as fast as wall time, so that back-offs and time limits of seconds and minutes end among the
    // faults.
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(200);
    private const int Speed = 20;

    private readonly FaultRunOptions _options;
    private readonly World _world;
    private readonly Tally _tally;
    private readonly Api _api;
    private readonly MerchantServers _servers;
    private readonly Workload _workload;
    private readonly FileBank _bank;
    private readonly FaultInjector _injector;
    private readonly Oracle _oracle;
    private readonly Random _random;
    private readonly TextWriter _log;
    private readonly long _started;

    private FaultRun(World world, MerchantServers servers, Tally tally, FaultRunOptions options, TextWriter log, long started)
    {
        (_world, _servers, _tally, _options, _log, _started) = (world, servers, tally, options, log, started);
        _api = new Api(world, _tally);
        _workload = new Workload(world, _api, _servers, _tally, options.Seed);
        _bank = new FileBank(world, _api, _tally, options.Seed);
        _injector = new FaultInjector(world, _tally);
        _oracle = new Oracle(world.Owner, world.Acquirer);
        _random = new Random(options.Seed);
    }

    /// <summary>Runs a seed. The database and the folder of a run with a violation are kept.</summary>
    public static async Task<FaultRunResult> RunAsync(FaultServers servers, FaultRunOptions options, TextWriter log)
    {
        var started = Stopwatch.GetTimestamp();
        FaultRunResult result;
        World? world = null;
        var tally = new Tally();
        try
        {
            await using (world = await World.StartAsync(servers, options.Seed, options.Transport, options.Mutation))
            {
                await using var merchants = await MerchantServers.StartAsync(options.Seed, tally);
                result = await new FaultRun(world, merchants, tally, options, log, started).RunAsync();
            }
        }
#pragma warning disable CA1031 // After any exception the run has proved nothing, and says so.
        catch (Exception e)
#pragma warning restore CA1031
        {
            result = new FaultRunResult(options, [new Violation("run", $"it broke off: {e}")], tally.Counts, new Coverage(), Stopwatch.GetElapsedTime(started), world?.Clock.Offset ?? TimeSpan.Zero);
        }

        if (world is not null && result.Violations.Count == 0)
            await world.DropAsync();
        return result;
    }

    private async Task<FaultRunResult> RunAsync()
    {
        await _workload.PrepareAsync(Merchants);
        _api.Patience = PatienceOfClients;
        Say("the world stands");
        var violations = await WorkAsync();
        if (violations.Count == 0)
        {
            _servers.Trouble = 0;
            await _injector.HealAsync();
            Say("the faults are over");
            violations = await RestAsync();
        }

        if (violations.Count == 0)
            violations = [.. await _oracle.CheckAsync(await ObservedAsync(), settled: true, CancellationToken.None), .. await _api.ReplayAsync(60, _random), .. _api.Violations, .. _bank.Violations];
        var coverage = await _oracle.CoverageAsync(CancellationToken.None);
        return new FaultRunResult(_options, violations, _tally.Counts, coverage, Stopwatch.GetElapsedTime(_started), _world.Clock.Offset);
    }

    private async Task<IReadOnlyList<Violation>> WorkAsync()
    {
        var started = Stopwatch.GetTimestamp();
        for (var round = 0; _options.Minutes is { } minutes ? Stopwatch.GetElapsedTime(started).TotalMinutes < minutes : round < _options.Rounds; round++)
        {
            _servers.Trouble = _random.Next(3) == 0 ? 0.4 : 0.05;
            var faults = FaultPlan.OfRound(_options.Seed, round, FaultsOfARound);
            Say($"round {round}: {string.Join(", ", faults.Select(fault => fault.Kind))}");
            var work = Task.WhenAll([_workload.RunAsync(round, Workers, WorkOfARound), .. faults.Select(_injector.InjectAsync)]);
            var looks = LookAsync(TimeSpan.FromMilliseconds(500 + _random.Next(2300)));
            while (await Task.WhenAny(work, Task.Delay(Tick)) != work)
                await _world.AdvanceAsync(Tick * Speed);
            await work;
            List<Violation> violations = [.. await looks, .. _api.Violations, .. _bank.Violations];
            if (IsNight(round))
            {
                await _bank.VisitAsync();
                violations.AddRange(await CheckAsync());
            }

            if (violations.Count > 0)
                return violations;

            // Wait for operations that the acquirer carries out late. They must happen within the ten minutes after which the platform
            // treats them as never received.
            if (faults.Any(fault => fault.Kind is FaultKind.ProcessorDrops or FaultKind.ProcessorTimeouts))
                await Task.Delay(2 * FaultInjector.Late);
            await PassTimeAsync(round);
        }

        return [];
    }

    private static bool IsNight(int round) => round % 2 == 1;

    /// <summary>
    /// Checks in the middle of the work what must hold at any time. While the database or the acquirer is down, it sees nothing.
    /// </summary>
    private async Task<IReadOnlyList<Violation>> LookAsync(TimeSpan after)
    {
        await Task.Delay(after);
        try
        {
            return await CheckAsync();
        }
        catch (Exception e) when (e is NpgsqlException or HttpRequestException or OperationCanceledException or IOException or SocketException or JsonException)
        {
            _tally.Add("looks that met an outage");
            return [];
        }
    }

    private async Task<IReadOnlyList<Violation>> CheckAsync()
    {
        var violations = await _oracle.CheckAsync(await ObservedAsync(), settled: false, CancellationToken.None);
        _tally.Add("checkpoints");
        return violations;
    }

    /// <summary>
    /// Passes minutes, hours, or the time until after the next night's runs. Sometimes it passes several nights without any work.
    /// </summary>
    private async Task PassTimeAsync(int round)
    {
        var now = _world.Clock.Now;
        var by = IsNight(round) ? now.Date.AddDays(_random.Next(10) switch { < 7 => 1, < 9 => 2, _ => 4 }).AddHours(7) - now.UtcDateTime
            : _random.Next(2) == 0 ? TimeSpan.FromMinutes(3 + _random.Next(40))
            : TimeSpan.FromHours(1 + _random.Next(9));
        await _world.AdvanceAsync(by);
        Say($"{by.TotalHours:0.0} h later: {_world.Clock.Now:u}");
        if (IsNight(round))
        {
            _tally.Add("nights");
            await Task.Delay(1200);
        }
    }

    /// <summary>Waits until no work is open. The clock runs fast meanwhile.</summary>
    private async Task<IReadOnlyList<Violation>> RestAsync()
    {
        var started = Stopwatch.GetTimestamp();
        IReadOnlyList<string> open = ["not looked at"];
        for (var i = 0; ; i++)
        {
            await _world.AdvanceAsync(Rests[i % Rests.Length]);
            await Task.Delay(900);
            if (i % 3 == 2)
                await _bank.VisitAsync();

            // A message whose tries are used up waits for an operator. The run replays it, as an operator would.
            await _api.SetAsync(HttpMethod.Post, "/v1/dead_letter_replays", _world.PlatformKey, new { from = _world.Clock.Now.AddDays(-60), to = _world.Clock.Now.AddDays(1) });
            var unread = await _bank.UnreadAsync();
            open = [.. await _oracle.OpenWorkAsync(CancellationToken.None, _workload.Files), .. unread > 0 ? [$"reports in the bank's inbox: {unread}"] : (string[])[]];
            Say($"{_world.Clock.Now:u}, open: {string.Join("; ", open)}");
            if (open.Count == 0 && i >= Rests.Length)
                return [];
            if (Stopwatch.GetElapsedTime(started) > _options.Liveness)
                return [.. open.Take(20).Select(what => new Violation("liveness", $"still open {_options.Liveness.TotalSeconds:0} s after the last fault, {_world.Clock.Now:u}: {what}"))];
        }
    }

    private async Task<Observed> ObservedAsync()
    {
        // Read before the endpoints, so that every endpoint that received something has its row.
        var received = _servers.Received;
        var endpoints = await _oracle.EndpointsAsync(CancellationToken.None);
        return new Observed(
            _api.Acknowledged, _workload.Files,
            received.Where(r => endpoints.ContainsKey(r.Url)).Select(r => (endpoints[r.Url], r.Event)).ToHashSet(),
            _workload.Merchants.ToDictionary(merchant => merchant.Id, merchant => merchant.Key, StringComparer.Ordinal));
    }

    private void Say(string what) => _log.WriteLine(string.Create(CultureInfo.InvariantCulture, $"# seed {_options.Seed}, {Stopwatch.GetElapsedTime(_started).TotalSeconds:0.0} s: {what}"));
}
