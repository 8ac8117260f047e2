using System.Globalization;
using System.Runtime.InteropServices;
using Payments.Faults;
using Payments.TestHooks.Bugs;

var usage = $"""
    usage: ./bench faults [--seed N | --seeds FIRST-LAST] [--minutes M] [--transport storage|servicebus] [--mutation NAME] [--results FILE]

      --seed N       the one seed to run (1)
      --seeds A-B    all of these, one after the other; with --results it goes on behind what is in the file
      --minutes M    how long work and faults of each seed go on; a short run of {FaultRunOptions.DefaultRounds} rounds without it
      --transport T  what carries messages; by the seed without it: odd seeds use storage queues, even ones Service Bus
      --mutation M   one of {string.Join(", ", Mutations.All)}:
                     puts a bug into the app that one of the seeds has to find; ends with 0 when it does
      --results F    adds a line for each seed, and leaves out the seeds that have one without violations
      --verbose      tells what each run does
    """;

var (first, last, verbose) = (1, 1, false);
double? minutes = null;
string? transport = null, mutation = null, results = null;
for (var i = 0; i < args.Length; i++)
{
    var value = i + 1 < args.Length ? args[i + 1] : "";
    switch (args[i])
    {
        case "--verbose":
            verbose = true;
            continue;
        case "--seed" when int.TryParse(value, CultureInfo.InvariantCulture, out first) && first >= 0:
            last = first;
            break;
        case "--seeds" when value.Split('-') is [var from, var to] && int.TryParse(from, CultureInfo.InvariantCulture, out first) && int.TryParse(to, CultureInfo.InvariantCulture, out last) && first >= 0:
            break;
        case "--minutes" when double.TryParse(value, CultureInfo.InvariantCulture, out var m) && m > 0:
            minutes = m;
            break;
        case "--transport" when value is "storage" or "servicebus":
            transport = value;
            break;
        case "--mutation" when Mutations.All.Contains(value):
            mutation = value;
            break;
        case "--results" when value.Length > 0:
            results = value;
            break;
        default:
            Console.Error.WriteLine(usage);
            return 2;
    }

    i++;
}

var servers = await FaultServers.StartAsync();

// A run that a signal stops ends its processes and deletes their data.
using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);

var done = results is not null && File.Exists(results) ? SeedLine.Clean(await File.ReadAllLinesAsync(results)) : [];
var summary = new Summary();
var found = false;
for (var seed = first; seed <= last; seed++)
{
    if (done.TryGetValue(seed, out var before))
    {
        summary.Add(before);
        continue;
    }

    var options = new FaultRunOptions(seed, transport ?? FaultRunOptions.TransportOf(seed), minutes, mutation);
    var result = await FaultRun.RunAsync(servers, options, verbose ? Console.Error : TextWriter.Null);
    var line = SeedLine.Of(result);
    Console.WriteLine(line);
    if (results is not null)
        await File.AppendAllTextAsync(results, line + "\n");
    summary.Add(line);
    foreach (var violation in result.Violations.Take(10))
        Console.Error.WriteLine($"# seed {seed}: {violation}");
    if (result.Violations.Count > 0)
        Console.Error.WriteLine($"# to see it again: ./bench faults --seed {seed} --transport {options.Transport}{(minutes is { } m ? $" --minutes {m}" : "")}{(mutation is null ? "" : $" --mutation {mutation}")}; what it left: the database payments_faults_{seed}, {servers.Data}");

    // A run that broke off has found nothing.
    found = result.Violations.Any(violation => violation.Invariant != "run");
    if (mutation is not null && found)
        break;
}

foreach (var line in summary.Lines())
    Console.WriteLine(line);
var failed = mutation is null ? summary.Violations > 0 : !found;
servers.Keep = failed;
await servers.DisposeAsync();
return failed ? 1 : 0;

void End(PosixSignalContext signal)
{
    signal.Cancel = true;
    _ = EndAsync();

    async Task EndAsync()
    {
        await servers.DisposeAsync();
        Environment.Exit(130);
    }
}
