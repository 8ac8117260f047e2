using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Payments.Postgres.Tests;

/// <summary>
/// A Postgres server of a test's own, to be killed. <c>PAYMENTS_TEST_POSTGRES_BIN</c> names the folder of <c>initdb</c> and <c>pg_ctl</c>;
/// without it, and without them on the path, the test is skipped, except on CI.
/// </summary>
internal sealed class PostgresInstance : IAsyncDisposable
{
    private const string Variable = "PAYMENTS_TEST_POSTGRES_BIN";
    private readonly string _bin;
    private readonly string _folder;
    private readonly int _port;

    private PostgresInstance(string bin, string folder, int port)
    {
        _bin = bin;
        _folder = folder;
        _port = port;
    }

    public string Admin => string.Create(CultureInfo.InvariantCulture, $"Host=127.0.0.1;Port={_port};Username=postgres;Database=postgres");

    private string Data => Path.Combine(_folder, "data");

    public static async Task<PostgresInstance> StartNewAsync()
    {
        var bin = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } named
            ? named
            : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).FirstOrDefault(folder => File.Exists(Path.Combine(folder, "pg_ctl")));
        if (bin is null)
        {
            Assert.SkipUnless(Environment.GetEnvironmentVariable("CI") is { Length: > 0 }, $"{Variable} is not set, so there is no Postgres to kill.");
            throw new InvalidOperationException($"{Variable} is missing: on CI this test needs the server's binaries.");
        }

        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        var folder = Directory.CreateTempSubdirectory("payments-test-").FullName;
        var instance = new PostgresInstance(bin, folder, port);
        if (IsRoot)
            await RunAsync("chown", ["postgres", folder]);
        await instance.ServerAsync("initdb", ["-D", instance.Data, "-U", "postgres", "-A", "trust", "--no-sync"]);
        await instance.StartAsync();
        return instance;
    }

    public Task StartAsync() => ServerAsync("pg_ctl",
    [
        "start", "-w", "-D", Data, "-l", Path.Combine(_folder, "log"),
        "-o", string.Create(CultureInfo.InvariantCulture, $"-p {_port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={_folder}"),
    ]);

    /// <summary>Ends every process of the server where it stands, as a power failure would; what was not flushed is gone.</summary>
    public Task KillAsync() => ServerAsync("pg_ctl", ["stop", "-m", "immediate", "-w", "-D", Data]);

    public async ValueTask DisposeAsync()
    {
        if (File.Exists(Path.Combine(Data, "postmaster.pid")))
            await KillAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static bool IsRoot => string.Equals(Environment.UserName, "root", StringComparison.Ordinal);

    // The server refuses to run as root.
    private Task ServerAsync(string program, string[] arguments) => IsRoot
        ? RunAsync("runuser", ["-u", "postgres", "--", Path.Combine(_bin, program), .. arguments])
        : RunAsync(Path.Combine(_bin, program), arguments);

    private static async Task RunAsync(string program, string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { WorkingDirectory = "/" })
            ?? throw new InvalidOperationException($"{program} did not start.");
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}.");
    }
}
