using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Payments.Kit;

namespace FunctionsHost.Tests;

/// <summary>A run of a function, as the sample app wrote it down.</summary>
internal sealed record Run(
    string Function, string Text, int Running, string? TraceParent, string? Retry, IReadOnlyDictionary<string, string?>? Data);

/// <summary>The host as a process of its own, with the published sample app.</summary>
internal sealed partial class SampleHost : IAsyncDisposable
{
    /// <summary>Long enough for a busy machine: only a test that fails waits for it.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private static readonly string[] Switchable =
    [
        "Timer", "StartupTimer", "RetriedTimer", "TextQueue", "OtherQueue", "MessageQueue", "BytesQueue", "JsonQueue", "Blob",
        "ClientBlob", "EventBlob",
        "Bus", "BusText", "BusDeadLetters", "BusSettles", "BusBatch", "BusSession", "BusTopic",
    ];

    private readonly ChildProcess _process;
    private readonly DirectoryInfo _folder;

    private SampleHost(ChildProcess process, DirectoryInfo folder)
    {
        _process = process;
        _folder = folder;
    }

    public static string App { get; } = Path.Combine(
        Repository.Root, "tests", "FunctionsHost.SampleApp", "bin", Repository.Configuration, "app");

    public HttpClient Client { get; } = new() { Timeout = Patience };

    public string Output => string.Join('\n', _process.ReadLog());

    public int ProcessId => _process.Id;

    /// <summary>A folder of this host's own.</summary>
    public string Folder => _folder.FullName;

    /// <summary>A file whose existence lets functions go that the setting <c>Hold</c> keeps.</summary>
    public static string HoldIn(DirectoryInfo folder) => Path.Combine(folder.FullName, "release");

    /// <param name="functions">The functions that are enabled, beside those of HTTP.</param>
    /// <param name="settings">Arguments of the host.</param>
    /// <param name="files">Files in place of those of the app: name and content.</param>
    /// <param name="hold">Whether functions that are told to wait do so until <see cref="Release"/>.</param>
    /// <param name="environment">Variables of the host's environment.</param>
    public static async Task<SampleHost> StartAsync(
        string[] functions,
        IReadOnlyDictionary<string, string>? settings = null,
        IReadOnlyDictionary<string, string>? files = null,
        bool hold = false,
        IReadOnlyDictionary<string, string>? environment = null)
    {
        var host = Launch(functions, settings, files, hold, environment);
        try
        {
            await Eventually.WhileAliveAsync(host._process, () => Task.FromResult(host.Address() is not null), Patience);
            host.Client.BaseAddress = host.Address();
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts a host that is to end by itself, and gives what it printed.</summary>
    public static async Task<(int ExitCode, string Output)> RefuseAsync(
        string[] functions, IReadOnlyDictionary<string, string>? settings = null, IReadOnlyDictionary<string, string>? files = null)
    {
        await using var host = Launch(functions, settings, files, hold: false, environment: null);
        await host._process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(Patience);
        return (host._process.ExitCode, host.Output);
    }

    /// <summary>The runs so far, in their order.</summary>
    public IReadOnlyList<Run> Runs(string? function = null)
    {
        var file = Path.Combine(Folder, "journal");
        if (!File.Exists(file))
            return [];
        using var reader = new StreamReader(new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return
        [
            .. reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => JsonSerializer.Deserialize<Run>(line)!)
                .Where(run => function is null || run.Function == function),
        ];
    }

    public IEnumerable<string> Texts(string? function = null) => Runs(function).Select(run => run.Text);

    public Task RunsAsync(int count, string what = "the function runs") => UntilAsync(() => Runs().Count >= count, what);

    public Task UntilAsync(Func<bool> holds, string what) => UntilAsync(() => Task.FromResult(holds()), what);

    /// <summary>Waits until something holds. A failure shows what the host printed.</summary>
    public async Task UntilAsync(Func<Task<bool>> holds, string what)
    {
        try
        {
            await Eventually.HoldsAsync(holds, Patience, what);
        }
        catch (TimeoutException e)
        {
            Assert.Fail($"{e.Message} The host printed:\n{Output}\nRuns:\n{string.Join('\n', Runs())}");
        }
    }

    /// <summary>Lets functions go that wait.</summary>
    public void Release() => File.WriteAllText(HoldIn(_folder), "");

    /// <summary>The process id of the worker, as the host answers it.</summary>
    public async Task<int> WorkerAsync()
    {
        using var status = JsonDocument.Parse(await Client.GetStringAsync(new Uri("/admin/host/status", UriKind.Relative)));
        return status.RootElement.GetProperty("workerProcessId").GetInt32();
    }

    public async Task<int> StopAsync(string signal = "TERM")
    {
        await _process.StopAsync(signal);
        return _process.ExitCode;
    }

    /// <summary>Sends a signal and goes on.</summary>
    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", ["-" + signal, ProcessId.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }

    public async Task<int> ExitAsync()
    {
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(Patience);
        return _process.ExitCode;
    }

    /// <summary>Kills the host alone.</summary>
    public Task KillAsync() => _process.KillAsync();

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _process.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private static SampleHost Launch(
        string[] functions,
        IReadOnlyDictionary<string, string>? settings,
        IReadOnlyDictionary<string, string>? files,
        bool hold,
        IReadOnlyDictionary<string, string>? environment)
    {
        var folder = Directory.CreateTempSubdirectory("functionshost");
        var app = App;
        if (files is not null)
        {
            app = Path.Combine(folder.FullName, "app");
            Copy(App, app);
            foreach (var (name, content) in files)
                File.WriteAllText(Path.Combine(app, name), content);
        }
        var all = new Dictionary<string, string> { ["Journal"] = Path.Combine(folder.FullName, "journal") };
        foreach (var function in Switchable.Except(functions))
            all[$"AzureWebJobs.{function}.Disabled"] = "true";
        if (hold)
            all["Hold"] = HoldIn(folder);
        foreach (var (name, value) in settings ?? new Dictionary<string, string>())
            all[name] = value;
        var command = Command.Dotnet(
            Repository.Built("local/host", "FunctionsHost.dll"),
            ["--app", app, "--port", "0", .. all.Select(setting => $"--{setting.Key}={setting.Value}")])
            .With(environment ?? new Dictionary<string, string>());
        return new SampleHost(ChildProcess.Start("host", command, folder.FullName), folder);
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in Directory.EnumerateFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        foreach (var folder in Directory.EnumerateDirectories(from))
            Copy(folder, Path.Combine(to, Path.GetFileName(folder)));
    }

    private Uri? Address() => Listening().Match(Output) is { Success: true } match ? new Uri(match.Groups[1].Value) : null;

    [GeneratedRegex("^Listening on (http://[^\\s]+)", RegexOptions.Multiline)]
    private static partial Regex Listening();
}
