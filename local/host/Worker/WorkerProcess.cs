using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using FunctionsHost.Hosting;

namespace FunctionsHost.Worker;

/// <summary>How the app says that its worker is started: worker.config.json.</summary>
internal sealed record WorkerCommand(string Executable, string Assembly)
{
    /// <exception cref="InvalidOperationException">The folder is not the publish output of an isolated app.</exception>
    public static WorkerCommand Load(string folder)
    {
        var path = Path.Combine(folder, "worker.config.json");
        if (!File.Exists(path))
            throw new InvalidOperationException(
                $"'{folder}' has no worker.config.json. Give the output of `dotnet publish` of an isolated Functions app with --app.");
        using var document = JsonDocument.Parse(File.ReadAllText(path));
        var description = document.RootElement.GetProperty("description");
        var executable = Text(description, "defaultExecutablePath") ?? "dotnet";
        var assembly = Text(description, "defaultWorkerPath")
            ?? throw new InvalidOperationException($"'{path}' does not name the app's assembly (defaultWorkerPath).");
        if (executable == "dotnet" && Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            executable = Environment.ProcessPath!;
        return new WorkerCommand(executable, Path.Combine(folder, assembly));
    }

    private static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}

/// <summary>The process that runs the app's functions. It ends no later than this one.</summary>
internal sealed class WorkerProcess : IDisposable
{
    private const int MaxMessageLength = int.MaxValue;

    private readonly Process _process;

    private WorkerProcess(Process process, string workerId)
    {
        _process = process;
        WorkerId = workerId;
        Id = process.Id;
        Ended = EndAsync();
    }

    /// <summary>The name under which the worker opens its stream.</summary>
    public string WorkerId { get; }

    public int Id { get; }

    /// <summary>Completes with the exit code once the process has ended.</summary>
    public Task<int> Ended { get; }

    public static WorkerProcess Start(HostSettings settings, WorkerCommand command, int port)
    {
        var workerId = Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString();
        var requestId = Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString();
        var start = new ProcessStartInfo(command.Executable)
        {
            WorkingDirectory = settings.Folder,
            UseShellExecute = false,
            RedirectStandardInput = true,
        };
        string[] arguments =
        [
            command.Assembly,
            "--host", "127.0.0.1",
            "--port", port.ToString(CultureInfo.InvariantCulture),
            "--workerId", workerId,
            "--requestId", requestId,
            "--grpcMaxMessageLength", MaxMessageLength.ToString(CultureInfo.InvariantCulture),
            "--functions-uri", $"http://127.0.0.1:{port}/",
            "--functions-worker-id", workerId,
            "--functions-request-id", requestId,
            "--functions-grpc-max-message-length", MaxMessageLength.ToString(CultureInfo.InvariantCulture),
        ];
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        start.Environment.Clear();
        foreach (var (name, value) in settings.Environment)
            start.Environment[name] = value;
        start.Environment["FUNCTIONS_WORKER_DIRECTORY"] = settings.Folder;
        start.Environment["FUNCTIONS_APPLICATION_DIRECTORY"] = settings.Folder;
        var hook = typeof(WorkerProcess).Assembly.Location;
        start.Environment["DOTNET_STARTUP_HOOKS"] = start.Environment.TryGetValue("DOTNET_STARTUP_HOOKS", out var hooks)
            && !string.IsNullOrEmpty(hooks)
            ? $"{hooks}{Path.PathSeparator}{hook}"
            : hook;
        return new WorkerProcess(Process.Start(start)!, workerId);
    }

    public void Kill()
    {
        try
        {
            _process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It has ended already.
        }
    }

    public void Dispose() => _process.Dispose();

    private async Task<int> EndAsync()
    {
        await _process.WaitForExitAsync();
        return _process.ExitCode;
    }
}
