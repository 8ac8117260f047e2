using Payments.Benchmarks;
using Payments.Kit;

if (args is [BareEndpoint.Argument])
    return await BareEndpoint.RunAsync();

// Every benchmark takes the run's options and prints JSON lines; anything for people goes to the error stream.
var benchmarks = new SortedDictionary<string, (string About, Func<BenchRun, Task> Run)>(StringComparer.Ordinal)
{
    ["charges"] = ("charges a second over HTTP, the whole way to the acquirer, beside a bare endpoint that does one INSERT; again after millions of charges", ChargesBench.RunAsync),
    ["cost"] = ("processor time, commits, rows, log and disk of one charge with all that follows it, over HTTP", CostBench.RunAsync),
    ["disputes-file"] = ("lines a second of a partner's dispute file, first and again, beside COPY of the same file", DisputesFileBench.RunAsync),
    ["http"] = ("what the local host adds to a request: an empty function through it beside the same bare endpoint", HttpBench.RunAsync),
    ["ledger"] = ("transfers a second and latency, beside pgbench's TPC-B-like script and a textbook ledger function", LedgerBench.RunAsync),
    ["messaging"] = ("messages a second from the outbox's commit to their effect, on each transport, beside a consumer that polls a table", MessagingBench.RunAsync),
    ["payouts"] = ("a night of payouts: creation, bank files, settlement, beside a plain INSERT ... SELECT", PayoutsBench.RunAsync),
    ["webhooks"] = (
        "partners' webhooks a second on the host and off it beside INSERTs, their drain, and deliveries a second to a thousand endpoints",
        WebhookBench.RunAsync),
};

var names = args.Where(arg => !arg.StartsWith('-')).ToArray();
var unknown = args.Where(arg => arg.StartsWith('-') && arg != "--quick").Concat(names.Where(name => !benchmarks.ContainsKey(name))).ToArray();
if (unknown.Length > 0 || names.Length == 0)
{
    Console.Error.WriteLine("usage: ./bench NAME [--quick]\n");
    foreach (var (name, (about, _)) in benchmarks)
        Console.Error.WriteLine($"  {name,-12} {about}");
    return unknown.Length > 0 ? 2 : 0;
}

try
{
    foreach (var name in names)
    {
        await using var servers = await BenchServers.StartAsync(
            forCharges: name == "charges", storage: name is "charges" or "cost" or "messaging" or "webhooks");
        await using var run = await BenchRun.StartAsync(servers, name, quick: args.Contains("--quick"));
        await benchmarks[name].Run(run);
    }
}
catch (KitException e)
{
    Console.Error.WriteLine($"bench: {e.Message}");
    return 1;
}

return 0;
