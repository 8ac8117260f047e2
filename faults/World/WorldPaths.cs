namespace Payments.Faults;

/// <summary>Where the run finds what it starts, as <c>./bench</c> and <c>./test</c> set it in the environment.</summary>
/// <param name="Root">The repository.</param>
/// <param name="Data">A folder of the run's own.</param>
/// <param name="Postgres">A script that becomes the Postgres server.</param>
/// <param name="Admin">The connection string of its administrator.</param>
/// <param name="Azurite">The ports of the storage: blobs and queues.</param>
internal sealed record WorldPaths(string Root, string Data, string Postgres, string Admin, (int Blob, int Queue) Azurite)
{
    /// <summary>The key of every account of the storage, which is known to everybody.</summary>
    public const string StorageKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    /// <summary>How many accounts the storage has: each seed takes another, so that nothing of one run is left to the next.</summary>
    public const int StorageAccounts = 64;

    public string Logs => Path.Combine(Data, "logs");

    /// <summary>The app as it is deployed.</summary>
    public string Functions { get; } = Required("PAYMENTS_FAULTS_APP");

    /// <summary>What the app loads at its start, so that the run can drive its clock and give it a deliberate bug.</summary>
    public string TestHooks { get; } = typeof(TestHooks.Bugs.Mutations).Assembly.Location;

    public string Acquirer { get; } = Required("PAYMENTS_FAULTS_ACQUIRER");

    public string ServiceBus { get; } = Required("PAYMENTS_FAULTS_BUS");

    /// <exception cref="InvalidOperationException">A variable is missing: the message names it.</exception>
    public static WorldPaths FromEnvironment()
    {
        var ports = Required("PAYMENTS_FAULTS_STORAGE").Split(' ');
        var paths = new WorldPaths(
            Required("PAYMENTS_FAULTS_ROOT"), Required("PAYMENTS_FAULTS_DATA"), Required("PAYMENTS_FAULTS_POSTGRES"), Required("PAYMENTS_FAULTS_ADMIN"), (int.Parse(ports[0], null), int.Parse(ports[1], null)));
        if (!File.Exists(Path.Combine(paths.Functions, "Payments.Functions.dll")))
            throw new InvalidOperationException("The app is not built: ./bench faults and ./test build it.");
        Directory.CreateDirectory(paths.Logs);
        return paths;
    }

    public static string Account(int seed) => $"faults{seed % StorageAccounts}";

    private static string Required(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value
            ? value
            : throw new InvalidOperationException($"{variable} is not set: run ./bench faults, or ./test Faults, which set it.");
}
