using System.Globalization;
using Payments.Kit;

namespace Payments.Benchmarks;

/// <summary>
/// The Postgres and the Azurite of one run of <c>./bench</c>. Postgres writes to disk as in production. <c>ConnectionStrings__PostgresAdmin</c> names another
/// server to measure on, and <c>PAYMENTS_BENCH_POSTGRES</c> adds settings (<c>name=value</c>) to the one that is started.
/// </summary>
internal sealed class BenchServers : IAsyncDisposable
{
    private EmbeddedPostgres? _postgres;
    private Azurite? _azurite;

    private BenchServers(string folder) => Folder = folder;

    /// <summary>A folder for the run's files, deleted at its end.</summary>
    public string Folder { get; }

    public string Logs => Path.Combine(Folder, "logs");

    public string Admin { get; private set; } = "";

    public string Storage => _azurite?.ConnectionString ?? throw new InvalidOperationException("This benchmark started no storage.");

    /// <param name="forCharges">Whether the server has the size that a load of charges needs.</param>
    /// <param name="storage">Whether a storage account is needed.</param>
    public static async Task<BenchServers> StartAsync(bool forCharges, bool storage)
    {
        var servers = new BenchServers(Path.Combine(Repository.Data, string.Create(CultureInfo.InvariantCulture, $"bench-{Environment.ProcessId}")));
        Directory.CreateDirectory(servers.Logs);
        try
        {
            servers.Admin = Environment.GetEnvironmentVariable("ConnectionStrings__PostgresAdmin") ?? "";
            if (servers.Admin.Length == 0)
            {
                var more = (Environment.GetEnvironmentVariable("PAYMENTS_BENCH_POSTGRES") ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);
                var named = more.Select(setting => setting.Split('=')[0]).ToHashSet(StringComparer.Ordinal);

                // A quarter of the memory for buffers, and a log that lets minutes pass between checkpoints; the settings for a laptop would begin one with each
                // minute of charges. The baselines take a connection for each caller.
                var quarter = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4 / 1024 / 1024;
                string[] sized = forCharges ? [$"shared_buffers={Math.Min(4096, quarter)}MB", "max_wal_size=8GB"] : [];
                string[] settings = ["max_connections=400", .. sized];
                servers._postgres = await EmbeddedPostgres.PrepareAsync(
                    Path.Combine(servers.Folder, "postgres"), FreePorts.Take(), "payments-bench", servers.Logs,
                    [.. settings.Where(setting => !named.Contains(setting.Split('=')[0])), .. more]);
                await servers._postgres.StartAsync();
                servers.Admin = servers._postgres.Admin;
            }

            if (storage)
                servers._azurite = await Azurite.StartAsync(servers.Logs);
            return servers;
        }
        catch
        {
            await servers.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_azurite is not null)
            await _azurite.DisposeAsync();
        if (_postgres is not null)
        {
            await _postgres.DisposeAsync();
            _postgres.Remove();
        }

        Directory.Delete(Folder, recursive: true);
    }
}
