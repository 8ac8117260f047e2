using Npgsql;
using Payments.Kit;

#pragma warning disable CA2100 // The tests' own statements.

namespace Payments.Functions.Tests;

/// <summary>
/// The app once more, with a database and queues of its own, to be killed where it stands. The acquirer is the common one; its webhooks go elsewhere, so that
/// only what a test sends comes in.
/// </summary>
internal sealed class OwnApp : IAsyncDisposable
{
    private readonly Azurite _storage;
    private readonly Platform _platform;

    private OwnApp(Azurite storage, Platform platform) => (_storage, _platform) = (storage, platform);

    public Uri Address => _platform.AppAddress;

    /// <summary>Skips the test where the app runs elsewhere: this one could not be started there.</summary>
    public static async Task<OwnApp> StartAsync(RunningApp shared)
    {
        Assert.SkipWhen(shared.Servers is null, "The app under test runs elsewhere, so there is none to kill.");
        var storage = await Azurite.StartAsync(shared.Servers!.Logs);
        try
        {
            var platform = await Platform.StartAsync(shared.Servers, "killed", new PlatformOptions
            {
                Acquirer = (shared.AcquirerAddress, shared.Platform!.Secrets),
                Storage = storage.ConnectionString,

                // What a killed process had taken comes free soon.
                Settings = new Dictionary<string, string>
                {
                    ["FunctionsHost__QueueLease"] = "00:00:03",
                    ["Webhooks__Lease"] = "00:00:09",
                    ["Webhooks__Timeout"] = "00:00:03",

                    // The dispute of the test is old, and would expire at the next quarter of an hour.
                    ["AzureWebJobs.WatchDisputeDeadlines.Disabled"] = "true",
                },
            });
            return new OwnApp(storage, platform);
        }
        catch
        {
            await storage.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts it again, and returns when it takes requests.</summary>
    public Task StartAsync() => _platform.StartAppAsync();

    /// <summary>Ends host and worker as a power failure would: they finish nothing and flush nothing.</summary>
    public Task KillAsync() => _platform.KillAppAsync();

    public async Task<NpgsqlConnection> ConnectAsync()
    {
        var connection = new NpgsqlConnection(_platform.AdminDatabase + ";Pooling=false");
        await connection.OpenAsync();
        return connection;
    }

    /// <summary>Locks a table, so that every write of the app to it waits until the lock is disposed.</summary>
    public async Task<IAsyncDisposable> HoldAsync(string table)
    {
        var connection = await ConnectAsync();
        await using var command = new NpgsqlCommand($"BEGIN; LOCK TABLE payments.{table} IN EXCLUSIVE MODE", connection);
        await command.ExecuteNonQueryAsync();
        return connection;
    }

    /// <summary>Returns when a statement that touches the table waits for a lock.</summary>
    public async Task UntilBlockedAsync(string table)
    {
        await using var connection = await ConnectAsync();
        await UntilAsync($"a statement waits for {table}", async () =>
        {
            await using var command = new NpgsqlCommand(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%payments.' || $1 || '%'", connection);
            command.Parameters.Add(new NpgsqlParameter { Value = table });
            return (long)(await command.ExecuteScalarAsync())! > 0;
        });
    }

    public async Task<long> CountAsync(string from)
    {
        await using var connection = await ConnectAsync();
        await using var command = new NpgsqlCommand($"SELECT count(*) FROM {from}", connection);
        return (long)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Waits longer than elsewhere: what a killed process had leased comes free when the lease ends. Microsoft's host leases messages for ten minutes.</summary>
    public static Task UntilAsync(string what, Func<Task<bool>> holds) =>
        Eventually.HoldsAsync(holds, TimeSpan.FromMinutes(Platform.OnCoreTools ? 30 : 4), what);

    public async ValueTask DisposeAsync()
    {
        await _platform.DisposeAsync();
        await _storage.DisposeAsync();
    }
}
