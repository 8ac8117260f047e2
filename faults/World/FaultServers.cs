using Payments.Kit;

namespace Payments.Faults;

/// <summary>The servers that all runs of this process share, and their folder.</summary>
internal sealed class FaultServers : IAsyncDisposable
{
    // Seeds rotate through the storage accounts, so that a run leaves nothing to the next one.
    private const int StorageAccounts = 64;

    // A process of a run does not live long enough for a second compilation of its code to pay off. It neither spins while it waits nor
    // collects garbage in parallel, because many processes share few processors.
    private static readonly Dictionary<string, string> ShortLived = new()
    {
        ["DOTNET_TC_CallCounting"] = "0",
        ["DOTNET_TieredPGO"] = "0",
        ["DOTNET_ThreadPool_UnfairSemaphoreSpinLimit"] = "0",
        ["DOTNET_gcConcurrent"] = "0",
        ["DOTNET_gcServer"] = "0",
    };

    private readonly Azurite _azurite;

    private FaultServers(string data, string logs, Azurite azurite, PostgresServer postgres) => (Data, Logs, _azurite, Postgres) = (data, logs, azurite, postgres);

    /// <summary>The folder of everything that runs leave.</summary>
    public string Data { get; }

    public string Logs { get; }

    public PostgresServer Postgres { get; }

    public AzuritePorts Storage => _azurite.Ports;

    /// <summary>Whether the data is kept after this process ends, so that a run with a finding can be examined.</summary>
    public bool Keep { get; set; }

    /// <param name="logs">The folder of the logs of all processes. Null puts them with the data.</param>
    public static async Task<FaultServers> StartAsync(string? logs = null)
    {
        var data = Path.Combine(Repository.Data, $"faults.{Environment.ProcessId}");
        logs ??= Path.Combine(data, "logs");
        Directory.CreateDirectory(data);
        Directory.CreateDirectory(logs);
        var azurite = await Azurite.StartAsync(logs, Enumerable.Range(0, StorageAccounts).Select(number => AccountOf(number)));
        try
        {
            return new FaultServers(data, logs, azurite, await PostgresServer.StartAsync(Path.Combine(data, "postgres"), logs));
        }
        catch
        {
            await azurite.DisposeAsync();
            throw;
        }
    }

    /// <summary>The storage account of a seed.</summary>
    public static string AccountOf(int seed) => $"faults{seed % StorageAccounts}";

    /// <summary>Starts a program of one run.</summary>
    public ChildProcess Start(string name, Command command) => ChildProcess.Start(name, command.With(ShortLived), Logs);

    public async ValueTask DisposeAsync()
    {
        await Postgres.DisposeAsync();
        await _azurite.DisposeAsync();
        if (Keep)
            return;
        Postgres.Remove();
        Directory.Delete(Data, recursive: true);
    }
}
