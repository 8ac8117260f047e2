using System.Globalization;
using System.Text.Json;
using Payments.Kit;

namespace Payments.AppHost;

/// <summary>
/// The files of a run that its user and other commands read. One run at a time holds <c>lock</c>. The system releases it however that run ends.
/// </summary>
internal sealed class RunFiles(string data) : IDisposable
{
    private FileStream? _held;

    public string Logs { get; } = Path.Combine(data, "logs");

    /// <summary>What `./run demo` needs to know about a run that is up.</summary>
    public string Running { get; } = Path.Combine(data, "running.env");

    public string DemoMerchant { get; } = Path.Combine(data, "demo.json");

    /// <summary>The process that holds the lock, for a message.</summary>
    public string Holder => $"process {(File.Exists(ProcessId) ? File.ReadAllText(ProcessId).Trim() : "unknown")}";

    private string ProcessId { get; } = Path.Combine(data, "pid");

    /// <summary>Takes the lock for this process. False if another run holds it.</summary>
    public bool TryLock()
    {
        Directory.CreateDirectory(Logs);
        try
        {
            _held = new FileStream(Path.Combine(data, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            return false;
        }

        File.Delete(Running);
        foreach (var log in Directory.EnumerateFiles(Logs, "*.log"))
            File.Delete(log);
        File.WriteAllText(ProcessId, Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "\n");
        return true;
    }

    public void WriteRunning(IEnumerable<KeyValuePair<string, string>> variables) =>
        PrivateFile.Write(Running, string.Concat(variables.Select(variable => $"{variable.Key}='{variable.Value}'\n")));

    public Dictionary<string, string> ReadRunning() =>
        File.ReadLines(Running).Select(line => line.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1].Trim('\''));

    public string MerchantKey()
    {
        using var state = JsonDocument.Parse(File.ReadAllText(DemoMerchant));
        return state.RootElement.GetProperty("key").GetString()!;
    }

    public void Dispose()
    {
        if (_held is null)
            return;

        // Not after a reset.
        if (Directory.Exists(data))
        {
            File.Delete(Running);
            File.Delete(ProcessId);
        }

        _held.Dispose();
    }
}
