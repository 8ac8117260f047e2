namespace Payments.Kit;

/// <summary>Azurite, the emulator of Azure Storage: blobs and queues on loopback.</summary>
public sealed class Azurite : IAsyncDisposable
{
    /// <summary>The key of the emulator's account. It is public: every emulator has it.</summary>
    public const string AccountKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    public const string Account = "devstoreaccount1";

    private Azurite(ChildProcess process, AzuritePorts ports)
    {
        Process = process;
        Ports = ports;
    }

    public ChildProcess Process { get; }

    public AzuritePorts Ports { get; }

    public string ConnectionString => ConnectionStringOf(Ports);

    /// <summary>The connection string of an account.</summary>
    public static string ConnectionStringOf(AzuritePorts ports, string account = Account) =>
        $"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={AccountKey};BlobEndpoint=http://127.0.0.1:{ports.Blob}/{account};"
        + $"QueueEndpoint=http://127.0.0.1:{ports.Queue}/{account};TableEndpoint=http://127.0.0.1:{ports.Table}/{account};";

    /// <summary>Starts the emulator.</summary>
    /// <param name="ports">Its ports.</param>
    /// <param name="data">The folder that keeps its data; null keeps them in memory.</param>
    /// <param name="accounts">Accounts in place of the emulator's own; each has <see cref="AccountKey"/>.</param>
    public static Command CommandOf(AzuritePorts ports, string? data, IEnumerable<string>? accounts = null)
    {
        string[] kept = data is null ? ["--inMemoryPersistence"] : ["--location", data];
        var command = new Command("node",
        [
            Tools.Azurite, "--silent", "--skipApiVersionCheck", "--disableTelemetry", .. kept, "--blobHost", "127.0.0.1", "--blobPort", $"{ports.Blob}",
            "--queueHost", "127.0.0.1", "--queuePort", $"{ports.Queue}", "--tableHost", "127.0.0.1", "--tablePort", $"{ports.Table}",
        ])
        { Folder = data ?? Path.GetTempPath() };
        return accounts is null
            ? command
            : command.With([new("AZURITE_ACCOUNTS", string.Join(';', accounts.Select(account => $"{account}:{AccountKey}")))]);
    }

    /// <summary>Starts the emulator in memory, on free ports, and returns when it answers.</summary>
    public static async Task<Azurite> StartAsync(string logs, IEnumerable<string>? accounts = null)
    {
        await Tools.InstallAsync();
        var ports = AzuritePorts.Take();
        var process = ChildProcess.Start("azurite", CommandOf(ports, data: null, accounts), logs);
        await Eventually.ListensAsync(process, ports.Blob, TimeSpan.FromSeconds(90));
        await Eventually.ListensAsync(process, ports.Queue, TimeSpan.FromSeconds(90));
        return new Azurite(process, ports);
    }

    public ValueTask DisposeAsync() => Process.DisposeAsync();
}

/// <summary>The ports of <see cref="Azurite"/>.</summary>
public sealed record AzuritePorts(int Blob, int Queue, int Table)
{
    public static AzuritePorts Take() => FreePorts.Take(3) is [var blob, var queue, var table] ? new AzuritePorts(blob, queue, table) : throw new InvalidOperationException();
}
