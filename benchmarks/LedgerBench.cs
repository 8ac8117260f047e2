using Payments.Domain;
using Payments.Domain.Ledger;

namespace Payments.Benchmarks;

/// <summary>
/// One journal of one transfer per call, through <see cref="LedgerWriter"/>, as the app posts. Each case stands beside the baselines that
/// the same run measured with as many callers.
/// </summary>
internal static class LedgerBench
{
    private static readonly int[] Callers = [1, 8, 20, 64, 256];

    // All accounts are in one bucket: nothing is spread over stripes, and the hot account is one row.
    private static readonly MerchantId Merchant = new(new Guid("01980000-0000-7000-8000-000000000000"));

    private static readonly AccountRef[] Accounts =
        [.. Enumerable.Range(0, 10_001).Select(i => ChartOfAccounts.ProcessorClearing($"bench_{i}", Currency.Eur))];

    private static readonly (string Name, Func<(int From, int To)> Pick)[] Shapes =
    [
        ("10 accounts", () => Pair(10)),
        ("1 hot account", () => Random.Shared.Next(2) == 0 ? (0, Random.Shared.Next(1, 10_001)) : (Random.Shared.Next(1, 10_001), 0)),
        ("10000 accounts", () => Pair(10_000)),
    ];

    private static long _keys;

    public static async Task RunAsync(BenchRun run)
    {
        var times = run.Quick
            ? new BenchTimes(TimeSpan.FromSeconds(0.3), TimeSpan.FromSeconds(1))
            : new BenchTimes(TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(10));
        var history = run.Quick ? 200_000L : 10_000_000L;
        await TextbookLedger.CreateAsync(run);
        await TpcB.CreateAsync(run);
        var posting = new LedgerPosting(run.App);
        await using var writer = new LedgerWriter(run.App, posting, TimeProvider.System);
        await OpenAccountsAsync(run, posting);

        // Untimed, on both sides alike: the code of each is compiled, and each server process has its plans, before the first case.
        foreach (var (_, pick) in Shapes)
        {
            await TextbookLedger.RunAsync(run, 1, times with { Measure = times.WarmUp }, pick);
            await PostAsync(writer, 1, times with { Measure = times.WarmUp }, pick);
        }

        var empty = new Dictionary<string, double>();
        foreach (var callers in Callers)
        {
            var tpcb = await TpcB.RunAsync(run, callers, times);
            Print(run, $"tpcb, {callers} callers", "transactions", tpcb, null);
            foreach (var (name, pick) in Shapes)
            {
                var textbook = await TextbookLedger.RunAsync(run, callers, times, pick);
                Print(run, $"textbook, {name}, {callers} callers", "transfers", textbook, null);
                var ours = await PostAsync(writer, callers, times, pick);
                Print(run, $"{name}, {callers} callers", "transfers", ours, textbook);
                run.Report($"{name}, {callers} callers, beside tpcb", "throughput", ours.PerSecond, "transfers/s", tpcb.PerSecond);
                if (callers == Callers[^1])
                    empty.Add(name, ours.PerSecond);
            }
        }

        await ReportBytesAsync(run);
        await FillAsync(run, posting, 50_000 + await run.ScalarAsync<long>("SELECT count(*) FROM ledger.transfers"));
        var memory = Memory();
        var reads = await ReadAsync(run, times);
        await FillAsync(run, posting, history);
        var readsAfter = await ReadAsync(run, times);
        foreach (var (name, p50) in readsAfter)
            run.Report($"{name}, after {history} transfers", "p50", p50, "ms", reads[name]);
        foreach (var (name, pick) in Shapes)
        {
            var ours = await PostAsync(writer, Callers[^1], times, pick);
            run.Report($"{name}, {Callers[^1]} callers, after {history} transfers", "throughput", ours.PerSecond, "transfers/s", empty[name]);
            run.Report($"{name}, {Callers[^1]} callers, after {history} transfers", "p99", ours.P99Milliseconds, "ms");
        }

        run.Report($"after {history} transfers", "process memory", Memory(), "MB", memory);
    }

    private static Task<LoadResult> PostAsync(LedgerWriter writer, int callers, BenchTimes times, Func<(int From, int To)> pick) =>
        ClosedLoop.RunAsync(callers, times.WarmUp, times.Measure, async _ =>
        {
            var result = await writer.PostAsync(NewJournal(pick()), CancellationToken.None);
            if (result.Status is not PostingStatus.Posted)
                throw new InvalidOperationException(result.Detail);
        });

    /// <summary>The median of each question to the ledger, asked by one caller.</summary>
    private static async Task<Dictionary<string, double>> ReadAsync(BenchRun run, BenchTimes times)
    {
        var reads = new LedgerReads(run.App);
        var now = TimeProvider.System.GetUtcNow();
        var key = await run.ScalarAsync<string>("SELECT external_key FROM ledger.journals ORDER BY journal_id DESC LIMIT 1");
        var began = await run.ScalarAsync<DateTime>("SELECT recorded_at FROM ledger.journals ORDER BY journal_id LIMIT 1");
        AccountRef Any() => Accounts[Random.Shared.Next(10_000)];
        DateTimeOffset Earlier() => began + ((now - began) * Random.Shared.NextDouble());
        var medians = new Dictionary<string, double>();
        foreach (var (name, read) in new (string, Func<Task>)[]
        {
            ("balance now", () => reads.BalanceAsync(Any(), CancellationToken.None)),
            ("balance at a time", () => reads.BalanceAtAsync(Any(), Earlier(), CancellationToken.None)),
            ("statement, 50 lines", () => reads.StatementAsync(Any(), null, 50, null, null, CancellationToken.None)),
            ("statement between times, 50 lines", () => reads.StatementAsync(Any(), null, 50, began, Earlier(), CancellationToken.None)),
            ("journal by key", () => reads.JournalAsync(key, CancellationToken.None)),
            ("trial balance", () => reads.TrialBalanceAsync(CancellationToken.None)),
        })
        {
            medians[name] = (await ClosedLoop.RunAsync(1, times.WarmUp, times.WarmUp, _ => read())).P50Milliseconds;
        }

        return medians;
    }

    // The key is as long as a capability's: a word and an id.
    private static Journal NewJournal((int From, int To) accounts) => new(
        Merchant,
        $"charge/{Interlocked.Increment(ref _keys):x40}",
        "charge_captured",
        TimeProvider.System.GetUtcNow(),
        [new Transfer(Accounts[accounts.From], Accounts[accounts.To], new Money(100, Currency.Eur), "charge")]);

    private static async Task OpenAccountsAsync(BenchRun run, LedgerPosting posting)
    {
        await using var connection = await run.App.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await posting.PostAsync(
            connection, transaction, [.. Enumerable.Range(0, 10_000).Select(i => NewJournal((i, i + 1)))], TimeProvider.System.GetUtcNow(), CancellationToken.None);
        await transaction.CommitAsync();
        await run.ExecuteAsync("ANALYZE ledger.transfers, ledger.balances, ledger.accounts");
    }

    private static async Task FillAsync(BenchRun run, LedgerPosting posting, long upTo)
    {
        var left = upTo - await run.ScalarAsync<long>("SELECT count(*) FROM ledger.transfers");
        await using var connection = await run.App.OpenConnectionAsync();
        for (; left > 0; left -= 2_000)
        {
            await using var transaction = await connection.BeginTransactionAsync();
            await posting.PostAsync(
                connection, transaction, [.. Enumerable.Range(0, 2_000).Select(_ => NewJournal(Pair(10_000)))], TimeProvider.System.GetUtcNow(), CancellationToken.None);
            await transaction.CommitAsync();
        }
    }

    private static async Task ReportBytesAsync(BenchRun run)
    {
        var ours = await run.ScalarAsync<double>("SELECT pg_total_relation_size('ledger.transfers')::float8 / count(*) FROM ledger.transfers");
        var textbook = await run.ScalarAsync<double>("""
            SELECT (pg_total_relation_size('textbook.transfers') + pg_total_relation_size('textbook.entries'))::float8 / count(*) FROM textbook.transfers
            """);
        run.Report("rows and indexes", "bytes per transfer", ours, "bytes", textbook);
    }

    private static void Print(BenchRun run, string @case, string what, LoadResult result, LoadResult? baseline)
    {
        run.Report(@case, "throughput", result.PerSecond, $"{what}/s", baseline?.PerSecond);
        run.Report(@case, "p50", result.P50Milliseconds, "ms", baseline?.P50Milliseconds);
        run.Report(@case, "p99", result.P99Milliseconds, "ms", baseline?.P99Milliseconds);
    }

    private static (int From, int To) Pair(int accounts)
    {
        var from = Random.Shared.Next(accounts);
        var to = Random.Shared.Next(accounts - 1);
        return (from, to >= from ? to + 1 : to);
    }

    private static double Memory()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        return GC.GetTotalMemory(forceFullCollection: true) / 1e6;
    }
}
