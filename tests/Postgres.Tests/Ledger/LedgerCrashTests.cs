using System.Collections.Concurrent;
using Dapper;
using Payments.Domain;
using Payments.Domain.Database;
using Payments.Domain.Ledger;
using Payments.Kit;
using static Payments.Postgres.Tests.Ledger.LedgerFixture;

namespace Payments.Postgres.Tests.Ledger;

/// <summary>The server dies and the connections die in the middle of batches: what was reported posted is there, and nothing is there twice.</summary>
public sealed class LedgerCrashTests
{
    private static readonly MerchantId Merchant = TestMerchants.InBucket(1);

    [Fact]
    public async Task PostAsync_ServerIsKilledMidBatch_EverythingReportedIsThereOnce()
    {
        var folder = Path.Combine(Repository.Data, $"crash-{Environment.ProcessId}");
        await using var server = await EmbeddedPostgres.PrepareAsync(Path.Combine(folder, "postgres"), FreePorts.Take(), "crash", folder);
        await server.StartAsync();
        var app = $"Username=crash_app;Password=x;{Where(server, "ledger_crash")}";
        var ownerString = $"Username=crash_owner;Password=x;{Where(server, "ledger_crash")}";
        await DatabaseBootstrap.RunAsync(new(server.Admin), new(ownerString), new(app));
        await using var owner = PaymentsDataSource.Create(ownerString, resetSessions: true);
        await new Migrator(owner, TimeProvider.System).ApplyAsync();
        await using var data = PaymentsDataSource.Create(app);

        var reported = new ConcurrentBag<(string Key, long Id)>();
        var unknown = new ConcurrentBag<string>();
        using var stop = new CancellationTokenSource();
        Task[] callers;
        await using (var writer = new LedgerWriter(data, new LedgerPosting(data), TimeProvider.System))
        {
            callers = [.. Enumerable.Range(0, 24).Select(caller => Task.Run(async () =>
            {
                for (var i = 0; !stop.IsCancellationRequested; i++)
                {
                    var key = $"crash/{caller}/{i}";
                    try
                    {
                        var result = await writer.PostAsync(Charge(key), CancellationToken.None);
                        Assert.True(result.IsInLedger);
                        reported.Add((key, result.JournalId!.Value));
                    }
                    catch (Exception e) when (DatabaseErrors.IsTransient(e) || e is CommitUnknownException)
                    {
                        unknown.Add(key);
                    }
                }
            }))];

            for (var crash = 0; crash < 3; crash++)
            {
                var before = reported.Count;
                await UntilAsync(() => reported.Count > before + 200);
                await server.StopAsync("QUIT");
                await server.StartAsync();
            }

            var last = reported.Count;
            await UntilAsync(() => reported.Count > last + 200);
            await stop.CancelAsync();
            await Task.WhenAll(callers);
        }

        // Its pooled connections died with the server.
        owner.Clear();
        await using var connection = await owner.OpenConnectionAsync();
        var stands = (await connection.QueryAsync<(string Key, long Id)>("SELECT external_key, journal_id FROM ledger.journals WHERE kind = 'crash'")).ToDictionary(row => row.Key, row => row.Id);
        Assert.All(reported, row => Assert.Equal(row.Id, Assert.Contains(row.Key, stands)));
        Assert.Subset(reported.Select(row => row.Key).Concat(unknown).ToHashSet(), stands.Keys.ToHashSet());
        Assert.Empty((await owner.VerifyAsync()).Findings);
        await server.StopAsync();
        server.Remove();
        Directory.Delete(folder, recursive: true);
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromMinutes(2), "Posting did not go on after the server came back.");
            await Task.Delay(10);
        }
    }

    private static string Where(EmbeddedPostgres server, string database) =>
        string.Join(';', server.Admin.Split(';').Where(part => part.StartsWith("Host", StringComparison.Ordinal) || part.StartsWith("Port", StringComparison.Ordinal))) + $";Database={database}";

    private static Journal Charge(string key) => new(Merchant, key, "crash", Now,
    [
        Move(ChartOfAccounts.ProcessorClearing("sandbox", Currency.Eur), ChartOfAccounts.MerchantPending(Merchant, Currency.Eur), 100),
        Move(ChartOfAccounts.MerchantPending(Merchant, Currency.Eur), ChartOfAccounts.PlatformFees(Currency.Eur), 3),
    ]);
}

/// <summary>Connections are cut at random while callers post.</summary>
public sealed class LedgerDisconnectTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    [Fact]
    public async Task PostAsync_ConnectionsAreCutMidBatch_EverythingReportedIsThereOnce()
    {
        var merchant = TestMerchants.Next();
        var reported = new ConcurrentBag<string>();
        var cuts = 0;
        await using (var writer = new LedgerWriter(database.App, new LedgerPosting(database.App), TimeProvider.System))
        {
            var callers = Enumerable.Range(0, 20).Select(caller => Task.Run(async () =>
            {
                // Until something was cut: on a fast machine fifty are through before anybody has looked.
                for (var i = 0; i < 50 || Volatile.Read(ref cuts) == 0; i++)
                {
                    var key = $"cut/{merchant}/{caller}/{i}";
                    var journal = new Journal(merchant, key, "cut", Now,
                        [Move(ChartOfAccounts.ProcessorClearing("cut", Currency.Eur), ChartOfAccounts.MerchantPending(merchant, Currency.Eur), 1)]);
                    while (true)
                    {
                        try
                        {
                            Assert.True((await writer.PostAsync(journal, CancellationToken.None)).IsInLedger);
                            reported.Add(key);
                            break;
                        }
                        catch (Exception e) when (DatabaseErrors.IsTransient(e) || e is CommitUnknownException)
                        {
                            // The caller asks again under the same key.
                        }
                    }
                }
            })).ToArray();
            var all = Task.WhenAll(callers);
            await using var killer = await database.App.OpenConnectionAsync();
            while (!all.IsCompleted)
            {
                var before = reported.Count;
                var cut = await killer.ExecuteScalarAsync<int>("""
                    SELECT count(*)::int FROM (
                        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%ledger.post%' AND state = 'active') x
                    """);
                Interlocked.Add(ref cuts, cut);

                // A new connection is slow at first: on a slow machine, cutting again before anything got through would go on for ever.
                do
                    await Task.Delay(15);
                while (cut > 0 && reported.Count == before && !all.IsCompleted);
            }

            await all;
        }

        Assert.True(cuts > 0);
        var pending = await new LedgerReads(database.App).BalanceAsync(ChartOfAccounts.MerchantPending(merchant, Currency.Eur), CancellationToken.None);
        Assert.True(reported.Count >= 1_000);
        Assert.Equal(reported.Count, reported.Distinct().Count());
        Assert.Equal(reported.Count, pending.MinorUnits);
        Assert.Empty((await database.Owner.VerifyAsync()).Findings);
    }
}
