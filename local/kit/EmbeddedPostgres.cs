using Npgsql;

namespace Payments.Kit;

/// <summary>
/// The Postgres that npm installs: on loopback, with a password. As root it runs as another user (postgres or nobody), since Postgres refuses to run as root.
/// Where that user cannot reach the clone, programs and data live in the temporary folder.
/// </summary>
public sealed class EmbeddedPostgres : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private static readonly string[] Defaults =
    [
        "listen_addresses=127.0.0.1", "unix_socket_directories=", "timezone=UTC", "log_timezone=UTC", "shared_buffers=256MB", "max_connections=200",
        "max_wal_size=2GB", "wal_compression=on", "checkpoint_timeout=15min", "random_page_cost=1.1", "jit=off", "log_min_messages=warning",
    ];

    private readonly string _home;
    private readonly string _cluster;
    private readonly string? _place;
    private readonly IReadOnlyList<string> _as;
    private readonly string _password;
    private readonly IReadOnlyList<string> _settings;
    private readonly string _logs;

    private EmbeddedPostgres(
        string home, string cluster, string? place, IReadOnlyList<string> runAs, int port, string password, IReadOnlyList<string> settings, string logs)
    {
        (_home, _cluster, _place, _as, Port, _password, _settings, _logs) = (home, cluster, place, runAs, port, password, settings, logs);
    }

    public int Port { get; }

    public ChildProcess? Process { get; private set; }

    /// <summary>The connection string of the superuser.</summary>
    public string Admin => $"Host=127.0.0.1;Port={Port};Database=postgres;Username=postgres;Password={_password}";

    /// <summary>Starts the server. It ends with a fast shutdown on SIGINT.</summary>
    public Command Command => AsUser(
        Path.Combine(_home, "bin", "postgres"), ["-D", _cluster, .. Settings().SelectMany(setting => new[] { "-c", setting })]);

    /// <summary>Makes the server ready to be started: creates its data, and ends one that a killed run left behind.</summary>
    /// <param name="data">The folder of its data, kept between runs.</param>
    /// <param name="port">The port, on loopback.</param>
    /// <param name="password">The superuser's password.</param>
    /// <param name="logs">The folder of log files.</param>
    /// <param name="settings">Settings (<c>name=value</c>) that replace the defaults.</param>
    /// <exception cref="KitException">Postgres cannot run here; the message says why.</exception>
    public static async Task<EmbeddedPostgres> PrepareAsync(string data, int port, string password, string logs, params IEnumerable<string> settings)
    {
        await Tools.InstallAsync();
        var (home, place, runAs) = (Tools.Postgres, (string?)null, (IReadOnlyList<string>)[]);
        data = Path.GetFullPath(data);
        Directory.CreateDirectory(data);
        if (OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess)
            (home, data, place, runAs) = await LeaveRootAsync(home, data);
        var server = new EmbeddedPostgres(home, Path.Combine(data, "cluster"), place, runAs, port, password, [.. settings], logs);
        if (!File.Exists(Path.Combine(server._cluster, "PG_VERSION")))
            await server.CreateAsync(data);
        await server.ClearStaleAsync();
        return server;
    }

    /// <summary>Starts the server and returns when it takes connections.</summary>
    public async Task StartAsync()
    {
        var process = ChildProcess.Start("postgres", Command, _logs);
        Process = process;
        await Eventually.WhileAliveAsync(
            process,
            async () =>
            {
                await using var connection = new NpgsqlConnection(Admin + ";Pooling=false;Timeout=2");
                await connection.OpenAsync();
                return true;
            },
            Patience);
    }

    /// <summary>Stops the server.</summary>
    /// <param name="signal"><c>INT</c> ends its sessions and shuts down; <c>QUIT</c> aborts it, so that it recovers at its next start.</param>
    public async Task StopAsync(string signal = "INT")
    {
        if (Process is not { } process)
            return;
        Process = null;
        await process.StopAsync(signal);
        await process.DisposeAsync();
    }

    /// <summary>Deletes the data of a server that is stopped.</summary>
    public void Remove()
    {
        var folder = _place ?? Path.GetDirectoryName(_cluster)!;
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
    }

    /// <summary>Deletes what a server kept that ran with this data folder. Nothing is left if there was none.</summary>
    public static void Remove(string data)
    {
        foreach (var folder in (string[])[data, PlaceOf(Path.GetFullPath(data))])
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }
    }

    public async ValueTask DisposeAsync() => await StopAsync();

    private static string PlaceOf(string data) => Path.Combine(Path.GetTempPath(), "payment-functions-" + Tools.ShortName(data));

    private static async Task<(string Home, string Data, string? Place, IReadOnlyList<string> As)> LeaveRootAsync(string home, string data)
    {
        var user = "";
        var (uid, gid) = ("", "");
        foreach (var candidate in (string[])["postgres", "nobody"])
        {
            user = candidate;
            uid = await Tools.OutputAsync("id", ["-u", candidate], CancellationToken.None);
            gid = await Tools.OutputAsync("id", ["-g", candidate], CancellationToken.None);
            if (uid.Length > 0 && gid.Length > 0)
                break;
        }

        if (uid.Length == 0)
        {
            throw new KitException(
                "Postgres refuses to run as root, and there is neither a user postgres nor nobody: run as another user, or set ConnectionStrings__Postgres.");
        }

        if (!File.Exists("/usr/bin/setpriv") && !File.Exists("/bin/setpriv"))
            throw new KitException("Postgres refuses to run as root, and setpriv (util-linux) is missing: run as another user, or set ConnectionStrings__Postgres.");

        string[] runAs = ["setpriv", $"--reuid={uid}", $"--regid={gid}", "--clear-groups"];
        await OwnAsync(data);
        if (await ReachesAsync(home, data))
            return (home, data, null, runAs);

        var place = PlaceOf(data);
        if (Directory.Exists(place) && await Tools.OutputAsync("stat", ["-c", "%u", place], CancellationToken.None) != uid)
            throw new KitException($"{place} belongs to another user: remove it, or set TMPDIR to another folder.");
        Directory.CreateDirectory(Path.Combine(place, "data"));
        var copy = Path.Combine(place, "native");
        if (!File.Exists(Path.Combine(copy, "bin", "postgres")))
            await Tools.OutputAsync("cp", ["-R", home, copy], CancellationToken.None);
        await OwnAsync(place);
        await Tools.OutputAsync("chmod", ["700", place], CancellationToken.None);
        return await ReachesAsync(copy, Path.Combine(place, "data"))
            ? (copy, Path.Combine(place, "data"), place, runAs)
            : throw new KitException($"The user {user}, as which Postgres runs, reaches neither {data} nor {place}.");

        Task<string> OwnAsync(string folder) => Tools.OutputAsync("chown", ["-R", $"{uid}:{gid}", folder], CancellationToken.None);

        async Task<bool> ReachesAsync(string programs, string folder) =>
            await Tools.OutputAsync(runAs[0], [.. runAs[1..], "sh", "-c", "test -w \"$0\" && echo yes", folder], CancellationToken.None) == "yes"
            && (await Tools.OutputAsync(runAs[0], [.. runAs[1..], Path.Combine(programs, "bin", "postgres"), "--version"], CancellationToken.None)).Length > 0;
    }

    private Command AsUser(string program, IEnumerable<string> arguments) =>
        _as.Count == 0 ? new Command(program, [.. arguments]) : new Command(_as[0], [.. _as.Skip(1), program, .. arguments]);

    private IEnumerable<string> Settings()
    {
        var replaced = _settings.Select(NameOf).ToHashSet(StringComparer.Ordinal);
        return [$"port={Port}", .. Defaults.Where(setting => !replaced.Contains(NameOf(setting))), .. _settings];
    }

    private static string NameOf(string setting) => setting[..setting.IndexOf('=', StringComparison.Ordinal)];

    // Made beside its place and renamed: a set-up that is cut off leaves no half-made cluster.
    private async Task CreateAsync(string data)
    {
        var unfinished = Path.Combine(data, "unfinished");
        if (Directory.Exists(unfinished))
            Directory.Delete(unfinished, recursive: true);
        var secret = Path.Combine(data, "password");
        PrivateFile.Write(secret, _password + "\n");
        if (_as.Count > 0)
            await Tools.OutputAsync("chown", ["--reference", data, secret], CancellationToken.None);
        await ChildProcess.RunAsync(
            "initdb",
            AsUser(
                Path.Combine(_home, "bin", "initdb"),
                ["-D", unfinished, "-U", "postgres", "--auth=scram-sha-256", $"--pwfile={secret}", "--encoding=UTF8", "--no-locale", "--no-sync"]) with
            { Folder = data },
            _logs);
        File.Delete(secret);
        Directory.Move(unfinished, _cluster);
    }

    // The server of a run that was killed is stopped. The process id of a server that crashed can belong to another program by now.
    private async Task ClearStaleAsync()
    {
        var file = Path.Combine(_cluster, "postmaster.pid");
        if (!File.Exists(file))
            return;
        if (int.TryParse(File.ReadLines(file).FirstOrDefault(), out var pid) && IsServer(pid))
        {
            await Tools.OutputAsync("kill", ["-INT", $"{pid}"], CancellationToken.None);
            await Eventually.HoldsAsync(() => Task.FromResult(!IsServer(pid)), Patience, $"the Postgres that an earlier run left behind (process {pid}) stops");
        }

        File.Delete(file);
    }

    private bool IsServer(int pid)
    {
        try
        {
            using var process = System.Diagnostics.Process.GetProcessById(pid);
            return !OperatingSystem.IsLinux() || File.ReadAllText($"/proc/{pid}/cmdline").Contains(_cluster, StringComparison.Ordinal);
        }
        catch (Exception e) when (e is ArgumentException or IOException)
        {
            return false;
        }
    }
}
